"""What diary actions are called in messages: plain words, in the reader's language."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

# What an action may start with, and what a rule can therefore ask for.
KINDS: Final[dict[str, Any]] = {
    "order": _("Orders"),
    "signal": _("Signals"),
    "decision": _("Decisions"),
    "source": _("Signal sources"),
    "strategy": _("Strategies"),
    "subscription": _("Subscriptions"),
    "customer": _("Customers"),
    "account": _("Exchange accounts and their keys"),
    "audit": _("Audits of the books"),
    "key": _("Keys refused by the exchange"),
    "stream": _("Private sockets"),
    "position": _("Positions"),
    "protection": _("Take profits and stop losses"),
    "trading_state": _("Trading switch"),
    "flatten": _("Flatten"),
    "limit": _("Limits"),
    "breaker": _("Breakers"),
    "approval": _("Approvals"),
    "membership": _("People and roles"),
    "user": _("Sign-in and passwords"),
    "two_factor": _("Second factors"),
    "api_token": _("API tokens"),
    "destination": _("Destinations of messages"),
}

ACTIONS: Final[dict[str, Any]] = {
    "account.active": _("Trading on an account was resumed"),
    "account.archived": _("An exchange account was archived"),
    "account.created": _("An exchange account was added"),
    "account.keys_cleared": _("An account's API key was removed"),
    "account.keys_pending": _("An account's API key waits to be checked"),
    "account.keys_recheck": _("An account's API key is checked again"),
    "account.keys_refused": _("An account's API key was refused"),
    "account.keys_set": _("An account's API key was changed"),
    "account.keys_verified": _("An account's API key was verified"),
    "account.paper_funded": _("Play money was paid into a simulated account"),
    "account.paper_reopened": _("The simulator had lost an account: it was opened again"),
    "account.paper_reset": _("A simulated account was reset"),
    "account.paper_withdrawn": _("Play money was taken out of a simulated account"),
    "account.paused": _("Trading on an account was paused"),
    "api_token.created": _("An API token was made"),
    "api_token.revoked": _("An API token was revoked"),
    "approval.approved": _("A request was approved"),
    "approval.expired": _("A request expired without an answer"),
    "approval.refused": _("A request was refused"),
    "approval.requested": _("A request waits for a second person"),
    "audit.not_clean": _("Our books and the exchange's differ"),
    "audit.not_seen": _("Accounts could not be audited"),
    "breaker.closed": _("A breaker closed: openings go on"),
    "breaker.opened": _("A breaker opened: nothing new is opened"),
    "customer.active": _("A customer was activated"),
    "customer.archived": _("A customer was archived"),
    "customer.created": _("A customer was added"),
    "customer.inactive": _("A customer was deactivated"),
    "customer.portal_granted": _("A customer was given access to the portal"),
    "customer.portal_link_made": _("A link into the portal was made for a customer"),
    "customer.portal_revoked": _("A customer's access to the portal was taken away"),
    "decision.failed": _("A signal could not be copied for one follower"),
    "desk.entered_by_superuser": _("An administrator of the installation entered the desk"),
    "destination.added": _("A destination of messages was added"),
    "destination.changed": _("A destination of messages was changed"),
    "destination.enabled": _("A destination of messages was enabled"),
    "destination.failing": _("A destination refuses its messages"),
    "destination.tested": _("A test message was sent"),
    "destination.paused": _("A destination of messages was paused"),
    "flatten.account_flat": _("An account was flattened"),
    "flatten.account_stuck": _("An account is not flat after a minute"),
    "flatten.all_flat": _("Everything is flat"),
    "flatten.needs_a_person": _("Flatten could not close everything"),
    "flatten.position_appeared": _("A position appeared on a flattened account"),
    "flatten.tried_again": _("Flatten tries an account again"),
    "key.refused_by_exchange": _("The exchange refuses an account's API key"),
    "limit.changed": _("A limit was changed"),
    "membership.granted": _("Somebody was given a role"),
    "membership.revoked": _("Somebody's access was taken away"),
    "message.digest": _("Combined message"),
    "message.test": _("Test message"),
    "notification.sent_again": _("Messages were sent again by hand"),
    "order.action_refused": _("What was asked of an order could not be done"),
    "order.action_unresolved": _("What was asked of an order is not done after a minute"),
    "order.amend_requested": _("An order is to be changed"),
    "order.cancel_requested": _("An order is to be canceled"),
    "order.duplicated": _("An order was found twice at the exchange"),
    "order.flip_open_dropped": _("The opening half of a flip was dropped"),
    "order.late_fill": _("An order was filled after it had ended"),
    "order.manual": _("An order needs a person: its outcome could not be found out"),
    "order.placed_unexpectedly": _("An order was placed that should not have been"),
    "order.set_aside": _("An order was set aside: its handling failed again and again"),
    "order.unknown": _("An order's outcome is unknown"),
    "protection.action_refused": _("What was asked of a protection could not be done"),
    "protection.action_unresolved": _("What was asked of a protection is not done after a minute"),
    "protection.canceled": _("A take profit or stop loss has ended with its position"),
    "protection.failed": _("A take profit or stop loss has failed: the position is unprotected"),
    "protection.move_requested": _("A take profit or stop loss is to be moved"),
    "protection.protect_requested": _("A take profit or stop loss is to be placed"),
    "protection.triggered": _("A take profit or stop loss was triggered"),
    "protection.unprotect_requested": _("A take profit or stop loss is to be taken away"),
    "signal.copied": _("A signal was copied"),
    "signal.entered": _("A signal was entered by hand"),
    "signal.sent": _("A signal was sent by a program"),
    "signal.quarantined": _("A signal was set aside after five failed tries"),
    "source.created": _("A signal source was added"),
    "source.disabled": _("A signal source was disabled"),
    "source.enabled": _("A signal source was enabled"),
    "source.previous_secret_cleared": _("A source's previous secret was cleared"),
    "source.quarantined": _("A signal source was set aside"),
    "source.secret_rotated": _("A source was given a new signing secret"),
    "source.token_rotated": _("A source was given a new secret address"),
    "strategy.changed": _("A strategy was changed"),
    "strategy.created": _("A strategy was added"),
    "stream.refused": _("A report of the exchange could not be read"),
    "subscription.active": _("A subscription was made or resumed"),
    "subscription.changed": _("A subscription was changed"),
    "tenant.created": _("The desk was opened"),
    "trading_state.changed": _("The trading switch was moved"),
    "two_factor.codes_renewed": _("Somebody made new recovery codes"),
    "two_factor.enrolled": _("Somebody set up a second factor"),
    "two_factor.recovery_code_used": _("Somebody signed in with a recovery code"),
    "two_factor.replaced": _("Somebody replaced their second factor"),
    "two_factor.removed": _("A second factor was taken away"),
    "user.language_chosen": _("Somebody chose another language"),
    "user.locked_out": _("Too many wrong passwords: somebody was locked out"),
    "user.signed_in": _("Somebody signed in"),
    "user.unlocked": _("Somebody who was locked out may try again"),
    "user.step_up_failed": _("Somebody typed a wrong password to confirm an action"),
    "user.stepped_up": _("Somebody confirmed their password"),
}


def headline(action: str) -> str:
    """The action in words; of one that has none, its own."""
    known = ACTIONS.get(action)
    if known is not None:
        return str(known)
    kind, _dot, rest = action.partition(".")
    named = KINDS.get(kind)
    told = rest.replace("_", " ").replace(".", " ")
    return f"{named}: {told}" if named and told else action.replace("_", " ").replace(".", " ")


def field_name(name: str) -> str:
    """A diary's column as people read it."""
    return name.replace("_", " ")
