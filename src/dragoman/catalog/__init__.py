"""What can be called: models, their endpoints, the providers behind them, prices.

An immutable snapshot, replaced as a whole. Data, not code, adds a model or a host.
"""
