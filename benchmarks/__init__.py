"""How fast it is: each figure beside its target, taken in one run on one machine.

`make bench` runs them all and writes `RESULTS.md`; `python -m benchmarks.startup` runs one.
What is compared is measured alternately, so that a busy moment hits both sides.
"""
