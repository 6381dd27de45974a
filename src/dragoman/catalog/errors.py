"""How the catalog says that something it was given cannot be used."""


class CatalogError(ValueError):
    """A provider, model or alias that cannot be used.

    The message begins with the place, in the words of whoever wrote it:
    `providers.acme.models.acme/turbo.price.prompt: …`.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem
