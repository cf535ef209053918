"""Functions that exist only to be exported: what the page computes, in the operations that a graph can hold."""
