"""From a key to a caller: who is this, and may they call at all?"""
