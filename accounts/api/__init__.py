"""What every part of the API is made of: tokens in, one envelope out.

A room's own `api/` package holds `serializers`, `views` and `urls`; `config/api/urls.py` puts
them together. How to write one:

- A list of rows and its single rows: subclass `accounts.api.views.DeskViewSet`, set `queryset`
  (with its `select_related`), `serializer_class`, `filterset_class`; the rows are narrowed by
  `visible_to(user)`, paged, filtered and wrapped for you. Anything else: `accounts.api.views.
  DeskView` (one address) or `DeskViewSet` with your own methods; return `Response(data)` with
  the bare data, the renderer puts the envelope around it.
- Reading needs the scope `read`. Writing names its scope, and what a member of staff must be able
  to do by hand: `needs = {"pause": Need(ApiScope.TRADE, Ability.MANAGE_STRATEGIES)}`, by action
  (for a `DeskView` by method: `{"post": ...}`).
- Output: `accounts.api.serializers.DeskSerializer` with explicit `fields`; input:
  `DeskInput`, which refuses unknown names. Decimals go out as plain text by themselves.
- Filters: `accounts.api.filters.DeskFilterSet`; unknown query parameters are refused by name
  because only those of the filter set (and the view's `query_parameters`) are known.
- Refuse by `rest_framework` exceptions, or let a service's ValidationError through: both become
  field and reason in the envelope. Ids in bodies: `accounts.api.serializers.RowField`.
- In `extend_schema(responses=...)` name the bare data only; `config.api.schema` adds envelope,
  errors, headers and scopes to the document.
"""
