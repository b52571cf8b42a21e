"""Convolutions on the CPU: several algorithms per function, and how one is selected.

A shape finds its algorithm in three steps:

1. `dispatch` is called with the operands of `forward`, `input_gradient` or `kernel_gradient`.
2. `selection` returns, from the shapes and the library, a member of the function's table in
   `algorithms`: `Forward`, `InputGradient` or `KernelGradient`. Each rule has its measurements.
3. `dispatch` runs the member. A `Direct` algorithm is a function of the operands (in `forward`,
   `input_gradient`, `kernel_gradient`, `depthwise`), run on chunks of the batch if that is faster.
   A `Decomposed` one (`grouped`, `per_depth`, `phases`) returns other convolutions and how to
   combine their results; each of those goes through the same three steps.

All of them compute with a library of `libraries`: the operations of XLA, or `onednn`.
"""
