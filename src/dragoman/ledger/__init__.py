"""Money: costs and bounds, accounts, purses and leases, settlement, and their proof."""
