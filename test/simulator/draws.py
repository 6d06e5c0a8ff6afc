"""Repeatable random numbers, and values that are computed once.

All data of an employee follow from the employee's number, so that any of a
million employees can be produced without the others.  `draw` is the only source
of randomness: an integer hash, which is much cheaper than generator objects.
"""

import zlib

MASK = (1 << 64) - 1


def salt(name):
    """A number for a name, so that different subjects get different numbers."""
    return zlib.crc32(name.encode()) * 0xBF58476D1CE4E5B9 & MASK


def draw(number, subject, n):
    """One of 0 … n-1, the same for the same number and `salt`."""
    x = (number * 0x9E3779B97F4A7C15 + subject) & MASK
    x = (x ^ x >> 31) * 0x94D049BB133111EB & MASK
    return (x >> 31) % n


class lazy:
    """An attribute computed at its first use.

    It has no __set__, so a value in the instance's own dictionary has precedence:
    special people have their values there.
    """

    def __init__(self, compute):
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance, owner):
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.compute(instance)
        return value
