"""How far the models are from what was measured: `python -m accuracy FOLDER`."""
