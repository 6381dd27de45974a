"""From a request and a snapshot to a plan: which endpoints, in what order, and why not the others.

Pure: health, money and randomness come in as values. Trying the plan is `dragoman.upstream`'s job.
"""
