"""Functions made only to be exported to the page, by family."""
