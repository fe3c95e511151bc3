"""The two ways in which the compiled path steps back: before it has begun, and on its way."""


class Declined(Exception):
    """This is not for the compiler; graphql-core has to answer it."""


class NoQuery(Declined):
    """Nor would it be with other values."""


class Unexpected(Exception):
    """Something came up whose answer is an error with a path; graphql-core has to answer it again."""
