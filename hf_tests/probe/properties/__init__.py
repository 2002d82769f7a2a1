"""What must hold of a kind of model whatever its weights: one module a kind, none of any family.

A family's TestCase says in its methods ``property_*`` which of them hold of its models.
"""
