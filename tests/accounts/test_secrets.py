"""Sealed columns: never plain outside `reveal()`, and readable only on their own row."""

from __future__ import annotations

import copy
import json
import pickle
import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.serializers import deserialize, serialize
from django.db import connection, transaction
from django.forms import modelform_factory

from accounts import keyring, rotation
from accounts.bulk import insert_many
from accounts.fields import Secret, SecretMoved
from accounts.keyring import SecretUnreadable, parse_keys
from accounts.scope import all_tenants, tenant_scope
from tests.accounts.library.models import Book, Loan
from tests.accounts.worlds import World, make_world

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PLAIN = "CANARY-plain-text-秘密"
OLD, NEW = "k1:an-old-key-of-the-ring-0123456789", "k2:the-new-key-of-the-ring-012345678"


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def book(world: World) -> Any:
    with tenant_scope(world.a.tenant):
        book = world.a.books[0]
        book.secret, book.second_secret = PLAIN, "second"
        book.save()
        yield Book.objects.get(pk=book.pk)


def column(book: Book, name: str = "secret") -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM library_book WHERE id = %s", [book.pk])
        return bytes(cursor.fetchone()[0])


def put(book: Book, name: str, sealed: bytes) -> Book:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE library_book SET {name} = %s WHERE id = %s", [sealed, book.pk])
    return Book.objects.get(pk=book.pk)


def test_a_secret_is_read_by_reveal_only(book: Book) -> None:
    assert isinstance(book.secret, Secret)
    assert book.secret.reveal() == PLAIN
    assert PLAIN not in str(column(book))
    assert column(book).startswith(b"t1:")


def test_loading_decrypts_nothing(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(sealed: bytes) -> bytes:
        raise AssertionError("decrypted while loading")

    monkeypatch.setattr(keyring, "decrypt", refuse)

    loaded = Book.objects.select_related("shelf").get(pk=book.pk)
    assert loaded.secret is not None
    loaded.save()
    list(Book.objects.values())


def test_nothing_shows_the_text(book: Book) -> None:
    unsaved = Book(secret=PLAIN)
    shown = [
        repr(book.secret),
        str(book.secret),
        f"{book.secret:>10}",
        f"{book.secret}",
        repr(vars(book)),
        repr(vars(unsaved)),
        repr(unsaved.secret),
        repr(Book.objects.values().first()),
        serialize("json", [book]),
        serialize("xml", [book]),
        str(pickle.dumps(book)),
        str(pickle.dumps(book.secret)),
        repr(copy.deepcopy(book).secret),
        json.dumps(list(Book.objects.values("secret")), default=str),
        modelform_factory(Book, fields=["secret"])(instance=book).as_p(),
    ]

    assert not [text for text in shown if "CANARY" in text]


def test_dumpdata_and_loaddata_carry_the_sealed_text(book: Book) -> None:
    out = StringIO()
    with all_tenants("backup"):
        call_command("dumpdata", "library.Book", stdout=out)
    assert "CANARY" not in out.getvalue()

    [item] = [i for i in deserialize("json", out.getvalue()) if i.object.pk == book.pk]
    item.save()

    assert Book.objects.get(pk=book.pk).secret.reveal() == PLAIN


def test_an_unsaved_secret_is_neither_pickled_nor_exported() -> None:
    unsaved = Book(secret=PLAIN)

    with pytest.raises(TypeError):
        pickle.dumps(unsaved)
    with pytest.raises(TypeError):
        serialize("json", [unsaved])
    assert unsaved.secret.reveal() == PLAIN


def test_a_pickled_row_can_still_be_read(book: Book) -> None:
    assert pickle.loads(pickle.dumps(book)).secret.reveal() == PLAIN


def test_a_text_moved_to_another_row_is_refused(world: World, book: Book) -> None:
    moved = put(world.a.books[1], "secret", column(book))

    with pytest.raises(SecretMoved):
        moved.secret.reveal()


def test_a_text_moved_to_another_column_is_refused(book: Book) -> None:
    moved = put(book, "second_secret", column(book))

    with pytest.raises(SecretMoved):
        moved.second_secret.reveal()


def test_a_text_moved_to_another_desk_is_refused(world: World, book: Book) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE library_book SET tenant_id = %s, title = 'm' WHERE id = %s",
            [world.b.tenant.pk, book.pk],
        )

    with tenant_scope(world.b.tenant), pytest.raises(SecretMoved):
        Book.objects.get(title="m").secret.reveal()


def test_a_secret_of_one_row_cannot_be_saved_on_another(world: World, book: Book) -> None:
    other = world.a.books[1]
    other.secret = book.secret

    with pytest.raises(SecretMoved), transaction.atomic():
        other.save()
    assert Book.objects.get(pk=other.pk).secret is None


def test_a_copied_row_cannot_read_its_secret(book: Book) -> None:
    twin = Book.objects.get(pk=book.pk)
    twin.pk, twin.uid, twin.title = None, uuid.uuid4(), "twin"
    twin._state.adding = True
    twin.save()

    with pytest.raises(SecretMoved):
        Book.objects.get(title="twin").secret.reveal()


def test_a_secret_without_its_row_cannot_be_read(book: Book) -> None:
    [loose] = Book.objects.filter(pk=book.pk).values_list("secret", flat=True)

    with pytest.raises(SecretMoved):
        loose.reveal()


def test_damaged_text_is_refused(book: Book) -> None:
    sealed = column(book)

    for broken in (sealed[:-2] + b"AA", b"garbage", b"t1:garbage", b"zz:" + sealed[3:]):
        with pytest.raises(SecretUnreadable):
            put(book, "secret", broken).secret.reveal()


def test_no_secret_is_none(book: Book) -> None:
    book.secret, book.second_secret = "", ""
    book.save()

    again = Book.objects.get(pk=book.pk)
    assert again.secret is None
    assert again.second_secret is None
    assert Book.objects.filter(pk=book.pk, secret__isnull=True).exists()


def test_deferred_and_refreshed_secrets_are_read(book: Book) -> None:
    assert Book.objects.only("title").get(pk=book.pk).secret.reveal() == PLAIN
    book.refresh_from_db()
    assert book.secret.reveal() == PLAIN


def test_bulk_writes_seal(world: World) -> None:
    with tenant_scope(world.a.tenant):
        Book.objects.bulk_create([Book(shelf=world.a.shelf, title="bulk", secret=PLAIN)])
        assert Book.objects.get(title="bulk").secret.reveal() == PLAIN

        loan = Loan(book=world.a.books[0], secret=PLAIN)
        insert_many([loan])
        assert Loan.objects.get(pk=loan.pk).secret.reveal() == PLAIN


def test_update_cannot_write_a_secret(book: Book) -> None:
    with pytest.raises(TypeError), transaction.atomic():
        Book.objects.update(secret=PLAIN)
    book.secret = "replaced"
    with pytest.raises(TypeError), transaction.atomic():
        Book.objects.bulk_update([book], ["secret"])
    assert Book.objects.get(pk=book.pk).secret.reveal() == PLAIN


def test_a_secret_cannot_be_searched(book: Book) -> None:
    for lookup in ("secret", "secret__exact", "secret__startswith", "secret__in"):
        with pytest.raises(FieldError):
            list(Book.objects.filter(**{lookup: "t1"}))


def test_a_form_left_blank_keeps_the_secret(book: Book) -> None:
    form_class = modelform_factory(Book, fields=["title", "secret", "required_secret"])

    form = form_class({"title": "renamed", "secret": "", "required_secret": ""}, instance=book)
    assert form.is_valid(), form.errors
    assert form.changed_data == ["title"]
    form.save()

    assert Book.objects.get(pk=book.pk).secret.reveal() == PLAIN


def test_a_form_replaces_the_secret(book: Book) -> None:
    form_class = modelform_factory(Book, fields=["secret"])

    form = form_class({"secret": "sealed:not-really"}, instance=book)
    assert form.is_valid(), form.errors
    form.save()

    assert Book.objects.get(pk=book.pk).secret.reveal() == "sealed:not-really"


def test_a_new_row_needs_its_required_secret(book: Book) -> None:
    form = modelform_factory(Book, fields=["required_secret"])({"required_secret": ""})

    assert "required_secret" in form.errors or form.instance.required_secret is not None


def test_full_clean_leaves_secrets_alone(book: Book) -> None:
    book.full_clean()
    book.save()

    assert Book.objects.get(pk=book.pk).secret.reveal() == PLAIN


def test_rotation_moves_every_text_and_may_be_repeated(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FIELD_KEYS = OLD
    with all_tenants("fill"):
        for row in Book.objects.all():
            row.secret, row.required_secret = f"{PLAIN} {row.title}", "r"
            row.save()
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    field = Book._meta.get_field("secret")
    assert rotation.count_by_key(Book, field) == {"k1": 4}

    call_command("rotate_field_keys", "--batch-size", "3", stdout=StringIO())

    assert rotation.count_by_key(Book, field) == {"k2": 4}
    settings.FIELD_KEYS = NEW
    with tenant_scope(world.b.tenant):
        assert Book.objects.get(title="b1").secret.reveal() == f"{PLAIN} b1"
    with monkeypatch.context() as patched:
        patched.setattr(rotation, "_replace", lambda *a: pytest.fail("written again"))
        call_command("rotate_field_keys", stdout=StringIO())


def test_rotation_never_puts_back_a_secret_replaced_meanwhile(book: Book, settings: Any) -> None:
    old = Book.objects.get(pk=book.pk)
    settings.FIELD_KEYS = f"{NEW},{settings.FIELD_KEYS}"
    book.secret = "newer"
    book.save()

    assert not rotation._rotate_row(old, Book._meta.get_field("secret"))
    assert Book.objects.get(pk=book.pk).secret.reveal() == "newer"


def test_rotation_reports_what_it_cannot_read(book: Book, settings: Any) -> None:
    put(book, "secret", column(book, "second_secret"))
    settings.FIELD_KEYS = f"{NEW},{settings.FIELD_KEYS}"
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("rotate_field_keys", stdout=out)
    assert "library.Book.secret: 0 re-encrypted, 1 failed" in out.getvalue()
    assert "CANARY" not in out.getvalue()


def test_the_check_names_a_key_that_left_the_ring_too_soon(book: Book, settings: Any) -> None:
    assert run_checks(tags=[Tags.database], databases=["default"]) == []
    settings.FIELD_KEYS = NEW

    found = run_checks(tags=[Tags.database], databases=["default"])

    assert {error.id for error in found} == {"accounts.E011"}
    assert "library.Book.secret holds texts under the absent key t1." in {e.msg for e in found}


@pytest.mark.parametrize("wrong", ["", "nokey", "a:", ":b", "a:1,a:2", "a b:1", []])
def test_a_malformed_ring_is_refused(wrong: Any) -> None:
    with pytest.raises(ImproperlyConfigured):
        parse_keys(wrong)


def test_the_ring_reads_lists_and_text_alike() -> None:
    assert parse_keys("k2:b,k1:a") == parse_keys(["k2:b", "k1:a"]) == {"k2": "b", "k1": "a"}


def test_migrations_see_the_field_as_it_is_declared() -> None:
    _, path, args, kwargs = Book._meta.get_field("secret").clone().deconstruct()

    assert path == "accounts.fields.EncryptedTextField"
    assert (list(args), kwargs) == ([], {"null": True, "blank": True})
