"""Settings come from the environment, and all mistakes in it are reported at once."""

from django.core.exceptions import ImproperlyConfigured


class Env:
    """Reads an environment and collects its mistakes.

    A reader never raises: it records the problem with the variable's name and returns a harmless value of the right type.
    check() then raises one ImproperlyConfigured with the whole list. No message contains a secret's value.
    """

    def __init__(self, values):
        self.values = values
        self.problems = []

    def wrong(self, name, rule):
        self.problems.append(f"{name}: {rule}")

    def text(self, name, default=None):
        """The value without surrounding whitespace. Empty counts as missing, which is a mistake if there is no default."""
        value = self.values.get(name, "").strip()
        if value:
            return value
        if default is None:
            self.wrong(name, "is missing")
            return ""
        return default

    def secret(self, name, default=None):
        """Like text, but keeps whitespace, which may be part of a password."""
        value = self.values.get(name, "")
        if value:
            return value
        return self.text(name, default)

    def flag(self, name, default=None):
        value = self.text(name, None if default is None else str(default).lower())
        if value.lower() not in ("true", "false", ""):
            self.wrong(name, f'must be "true" or "false", got {value!r}')
        return value.lower() == "true"

    def number(self, name, low, high, default=None):
        value = self.text(name, None if default is None else str(default))
        if value.isdecimal() and low <= int(value) <= high:
            return int(value)
        if value:
            self.wrong(name, f"must be a whole number from {low} to {high}, got {value!r}")
        return low

    def choice(self, name, allowed, default=None):
        value = self.text(name, default)
        if value and value not in allowed:
            self.wrong(name, f"must be one of {', '.join(allowed)}, got {value!r}")
        return value

    def words(self, name, default=None):
        """A comma-separated list; whitespace around the commas is ignored."""
        value = self.text(name, default)
        words = [word.strip() for word in value.split(",") if word.strip()]
        if value and not words:
            self.wrong(name, f"contains only commas, got {value!r}")
        return words

    def check(self):
        if self.problems:
            listed = "\n".join(f"  - {problem}" for problem in self.problems)
            mistakes = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
            raise ImproperlyConfigured(f"The site does not start: {mistakes} in the environment.\n{listed}")
