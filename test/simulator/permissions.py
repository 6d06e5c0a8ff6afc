"""What the service user may see: fields by category, people by status."""

EMPLOYED = {"employed", "leave", "parental leave", "garden leave"}


def field_readable(settings, field):
    """Whether a field is readable; others are left out without an error."""
    category = field.category_id
    if settings.categories is not None and category not in settings.categories:
        return False
    return (category not in settings.hidden_categories
            and field.id not in settings.hidden_fields)


def sees(settings, employee):
    """Whether an employee is in the audience ("Access data for")."""
    if employee.number in settings.hidden_employees:
        return False
    return settings.audience == "everyone" or employee.lifecycle in EMPLOYED
