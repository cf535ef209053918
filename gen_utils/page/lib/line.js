// The line under a poster, or under a widget that lives: what is waited for, what failed, and what to do.

import { button, h } from "./elements.js";

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 60_000;

// Returns say(words, press): show them, with a button that calls `press` if it is given; without words, the line goes.
// And wait(words), for words that change too often to be read aloud.
export function statusLine(el) {
  const text = h("p", { role: "status" });
  const again = button("Try again now", () => pressed?.());
  const line = h("div", { class: "gu-status" }, text);
  let pressed;
  const show = (words, press, live) => {
    if (text.textContent !== words) {
      text.ariaLive = live;
      text.textContent = words;
    }
    if (!words && !line.isConnected) return;
    pressed = press;
    if (press) line.append(again);
    else again.remove();
    if (!words) line.remove();
    else if (!line.isConnected) el.append(line);
  };
  return {
    say: (words, press) => show(words, press, "polite"),
    wait: (words) => show(words, undefined, "off"),
  };
}

// An error that no further attempt mends.
export const lasting = (message) => Object.assign(new Error(message), { lasting: true });

// Do `work` until it succeeds. After each failure the line says why; a button, or a connection that is back, cuts the
// growing pauses short.
export async function persistently(work, line, { signal, during }) {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      console.error(error);
      const words = `This widget could not start: ${error.message}.`;
      const next = new Promise((resolve) => {
        if (error.lasting) return line.say(words);
        setTimeout(resolve, pause);
        addEventListener("online", resolve, { once: true, signal });
        line.say(`${words} It goes on trying.`, resolve);
      });
      await during(next);
    }
  }
}
