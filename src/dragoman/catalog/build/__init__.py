"""How the shipped `models.json` is made of models.dev's data: `dragoman catalog build`.

`read` takes the source in, `words` and `merge` tell which model an entry is, `facts` and `prices`
what it can do and costs, `corrections` where the source is wrong, `rows` writes the result and
`report` accounts for each decision. The decisions of people stand in tables beside `models.json`.
A build is pure and deterministic: the same entries in any order give the same text.
"""
