"""What a generation costs. Purses, leases and settlement join it here."""
