"""The ground floor: ids, money, clocks, errors, secrets, notes. Knows no other room."""
