"""Convolutions and matrix products by oneDNN, which is part of jaxlib on Linux x86-64.

jaxlib is built with oneDNN and with XLA's code to call it, but XLA does not select it. A custom
call in a program does. It needs no other package and runs on XLA's own threads.

- `calls` writes these custom calls.
- `availability` decides whether this process may use them: XLA does not document them, and aborts
  the process if it does not understand one.
- `self_check` is run in a child process and compares them with XLA's own results, once per machine
  and version of jaxlib.
"""
