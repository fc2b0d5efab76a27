"""Reference evaluations of the economic models in plain Python, written from the published equations.

Each module has ``evaluate(row)``: ``row`` maps variable names to values with defaults already filled in,
and may hold an output, which then replaces its own line and reaches the lines after it. The result maps
every output of the model to its value, or to None where it cannot be computed or does not exist, and has
two more keys: ``_scale`` (output to the sum of absolute terms, relative to which agreement is judged) and
``_range`` (output to the lowest and highest value that rounding could select, present only where the output
jumps there).
"""
