"""The jobs of `jobs.py` in other tools, each as its users would write it for speed.

The same equations and the same cells of the launch law, so that the numbers agree. What no row changes is made once,
everywhere.
"""
