"""The economics of AI compute, for millions of scenarios at once."""

# What is public stands in the stub beside this file. Each name is loaded when first used: the import costs little, and
# the command line starts at once.
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
