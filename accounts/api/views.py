"""The base of every address of the API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import audit
from accounts.api.authentication import TokenAuthentication
from accounts.api.envelope import EnvelopeRenderer
from accounts.api.filters import DeskFilterSet, FilterBackend
from accounts.api.handling import refuse
from accounts.api.paging import Pages
from accounts.api.parsing import StrictJsonParser
from accounts.api.permissions import Need, ScopePermission
from accounts.api.refusals import TooLarge
from accounts.api.throttling import Allowance, OverLimit, spend
from accounts.models import User
from accounts.scope import tenant_scope
from accounts.strict_json import MAX_BYTES, shown_key
from accounts.tokens import TokenEntry


class DeskView(APIView):
    """One address. A token enters, its desk's scope is open until the answer is rendered, and
    the diary names the token's member and the token.

    `needs` maps a method ("post") or a view set's action to the scope it needs; reading needs
    `read`. `query_parameters` are those that a method reads beside its filters.
    """

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated, ScopePermission)
    renderer_classes = (EnvelopeRenderer,)
    parser_classes = (StrictJsonParser,)
    throttle_classes = ()
    metadata_class = None
    http_method_names = ["get", "head", "post"]

    needs: ClassVar[Mapping[str, Need]] = {}
    query_parameters: ClassVar[tuple[str, ...]] = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.allowance: Allowance | None = None
        with ExitStack() as self._entered:
            response: Any = super().dispatch(request, *args, **kwargs)
            # Here, not when Django does it: serializers may still read rows.
            response.render()
        return response

    def get_exception_handler(self) -> Any:
        return refuse

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        if isinstance(request.auth, TokenEntry):
            self._enter(request, request.auth)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _refuse_large(request)
        self._refuse_unknown_parameters(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.allowance is not None:
            for name, text in self.allowance.headers().items():
                response[name] = text
        return response  # type: ignore[no-any-return]

    def known_parameters(self) -> set[str]:
        return set(self.query_parameters)

    @property
    def actor(self) -> User:
        """The member whom the token acts for: what services take as `actor`."""
        user: Any = self.request.user
        return user  # type: ignore[no-any-return]

    def given(self, serializer_class: type[BaseSerializer[Any]], **context: Any) -> dict[str, Any]:
        """The body as this serializer reads it; raises by field."""
        request: Any = self.request
        serializer = serializer_class(data=request.data, context={"request": request, **context})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _enter(self, request: Request, entry: TokenEntry) -> None:
        plain: Any = request._request  # noqa: SLF001 - what pages read: request.tenant, request.role
        plain.tenant, plain.membership = entry.membership.tenant, entry.membership
        plain.role = entry.membership.role
        self._entered.enter_context(tenant_scope(entry.token.tenant_id))
        self._entered.enter_context(
            audit.acting(
                actor=entry.token.user,
                request_id=getattr(plain, "request_id", ""),
                via=f"API: {entry.token.name}",
            )
        )
        try:
            self.allowance = spend(entry.token, time.time())
        except OverLimit as refusal:
            self.allowance = refusal.allowance
            raise

    def _refuse_unknown_parameters(self, request: Request) -> None:
        known, faults = self.known_parameters(), {}
        for name, values in request.query_params.lists():
            if name not in known:
                faults[shown_key(name)] = [_("This parameter is not known.")]
            elif len(values) > 1:
                faults[name] = [_("Given more than once.")]
            elif values == [""]:  # or an empty variable of a program would ask for everything
                faults[name] = [_("Empty: leave it out instead.")]
        if faults:
            raise ValidationError(faults)


class DeskViewSet(DeskView, GenericViewSet[Any]):
    """Rows of a table: a list, single rows, and actions on them.

    Set `queryset`, `serializer_class`, `filterset_class`; add the mixins of
    `rest_framework` (`ListModelMixin`, `RetrieveModelMixin`) for what is offered.
    """

    filter_backends = (FilterBackend,)
    pagination_class = Pages
    filterset_class: ClassVar[type[DeskFilterSet] | None] = None
    lookup_field = "uid"
    lookup_url_kwarg = "id"
    lists: ClassVar[frozenset[str]] = frozenset({"list"})  # actions that page and filter

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared: Any = cls.queryset
        if declared is not None:
            declared.query.declare()

    def get_queryset(self) -> Any:
        rows: Any = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows.none()
        return rows.visible_to(self.request.user)

    def known_parameters(self) -> set[str]:
        known = super().known_parameters()
        if self.action in self.lists:
            known |= set(Pages.query_parameters)
            known |= self.filterset_class.parameters() if self.filterset_class else set()
        return known


def _refuse_large(request: Request) -> None:
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isascii() and declared.isdigit() and int(declared) > MAX_BYTES:
        raise TooLarge(_("The body is larger than 64 KiB."))
