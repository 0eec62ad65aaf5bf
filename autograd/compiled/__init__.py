"""The compiled engine: any recorded graph as a list of instructions, run by kernels that LLVM compiles.

Optional (``pip install "chainrule[fast]"``). Without it, ``record`` falls back to array operations.

Theory of operation
-------------------
The input is the flat graph of ``autograd.replay``. The output is a plan with the same steps, forward and backward.

1. ``planning`` gives each node a slot in ``values`` and ``gradients``, and makes a list of instructions, which are
   data, not code. An instruction contains the kernel to run, the position of its operands' slots in ``index``, the
   first slot of its results, and their number. Equal nodes that do not depend on each other share an instruction;
   nodes in a chain cannot.
2. ``kernels`` writes a kernel for an entry of the table: its rule runs once, on letters, and the formulas that it
   returns become two loops. The forward loop computes values. The backward loop computes local derivatives from the
   operands and the value, and adds upstream × local to the operands' gradients.
3. ``assembly`` writes formulas as LLVM IR. ``machine`` writes the code that all programs share: the loop over
   instructions, matrix products, and the training step, which combines both passes and the update
   (``training_step``).
4. ``library`` compiles this code, and caches the result in the user's cache folder.

Worked by hand, y = sin x₁ + sin x₂ has the slots 0 x₁, 1 x₂, 2 and 3 for the sines, and 4 for y. The instructions:

    kernel of sin, one by one:  operands 0 | 1    results from 2 on, two of them
    kernel of +, one by one:    operands 2 3      results from 4 on, one

>>> import pytest; _ = pytest.importorskip("llvmlite")
>>> from autograd import Value, record, sin
>>> x = [Value(1.0), Value(2.0)]
>>> program = record(sin(x[0]) + sin(x[1]), [x], engine="compiled")
>>> program.plan.passes[0][:, 1:].tolist(), program.plan.index[:4].tolist()
([[0, 2, 2], [2, 4, 1]], [0, 1, 2, 3])
"""
