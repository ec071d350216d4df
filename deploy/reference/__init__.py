"""References generated from the code: schemas, AsyncAPI, tables. `python -m deploy.reference` writes them."""
