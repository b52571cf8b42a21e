"""Convolutions on the CPU: several algorithms per function, and how one is selected.

A shape finds its algorithm in three steps:

1. `dispatch` is called with the operands of `forward`, `input_gradient` or `kernel_gradient`.
2. `selection` returns, from the shapes alone, a member of the function's table in `algorithms`:
   `Forward`, `InputGradient` or `KernelGradient`. The measurements behind each rule are there.
3. `dispatch` runs the member. A `Direct` algorithm is a function of the operands (in `forward`,
   `input_gradient`, `kernel_gradient`, `depthwise`), run on parts of the batch if
   that is faster. A `Decomposed` one (`grouped`, `per_depth`, `phases`) states other convolutions
   and how to combine their results; each of those goes through the same three steps.
"""
