"""The two ways in which the compiled path steps back: before it has begun, and on its way."""

from typing import Self


class Declined(Exception):
    """This is not for the compiler; graphql-core has to answer it."""

    def again(self) -> Self:
        """The same anew: one that is raised again and again keeps every frame it passed."""
        return type(self)(*self.args)


class NoQuery(Declined):
    """Nor would it be with other values."""


class NotValid(Declined):
    """This very text is never going to be answered."""


class Unexpected(Exception):
    """Something came up whose answer is an error with a path; graphql-core has to answer it again."""
