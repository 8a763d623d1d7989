"""Before-callbacks answered by an app's rules: from the body and the settings alone, in a fraction of a millisecond.

What may be said is looked for in the texts of a message (`Text`, `Desc`, `Data`, `Ext`), in the
name of a group or topic, and in what somebody who asks for a friendship writes. Rules go
in their order: a replacement goes on with the text replaced, anything else that fits decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from config.settings import ImCallbackRule
from schemas.im.callback_rules import DROP, Action, compile_rule, denial_of
from schemas.im.callbacks import PREV_FRIEND_ADD, PREV_FRIEND_RESPONSE, CallbackAnswer, FriendDecision

Body = Mapping[str, Any]

SAID = ("Text", "Desc", "Data", "Ext")
SHOWN = ("Text", "Desc")
"""What people read: words are replaced here alone, for `Data` is often not plain text."""
ASKERS = ("From_Account", "Operator_Account", "Requester_Account")
FRIEND_ITEMS = {PREV_FRIEND_ADD: "FriendItem", PREV_FRIEND_RESPONSE: "ResponseFriendItem"}


class Rule(msgspec.Struct, frozen=True):
    """A rule of the settings, ready to use."""

    action: Action
    commands: frozenset[str]
    pattern: Any
    """An expression of RE2; None fits any text."""
    accounts: frozenset[str]
    code: int | None
    info: str
    replacement: str

    def fits(self, asker: str, texts: Iterable[bytes]) -> bool:
        if self.accounts and asker not in self.accounts:
            return False
        return self.pattern is None or any(self.pattern.search(text) for text in texts)


def rules_of(settings: Sequence[ImCallbackRule]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            rule.action,
            frozenset(rule.commands),
            compile_rule(rule.words, rule.patterns),
            frozenset(rule.accounts),
            rule.code,
            rule.info,
            rule.replacement,
        )
        for rule in settings
    )


def decide(rules: Sequence[Rule], command: str, body: Body) -> CallbackAnswer:
    """What a before-callback is answered; allowed where no rule fits."""
    rules = [rule for rule in rules if command in rule.commands]
    if command in FRIEND_ITEMS:
        return _decide_friends(rules, command, body)
    message = body.get("MsgBody")
    now, replaced = message, False
    for rule in rules:
        if not rule.fits(_asker(body), (*_said(now), *_texts((body.get("Name"),)))):
            continue
        if rule.action != "replace":
            return _verdict(rule, command, now if replaced else UNSET)
        now, replaced = _replaced(now, rule), True
    return CallbackAnswer(msg_body=now if replaced and now != message else UNSET)


def _verdict(rule: Rule, command: str, message: Any) -> CallbackAnswer:
    match rule.action:
        case "deny":
            return CallbackAnswer(error_code=rule.code or denial_of(command), error_info=rule.info)
        case "drop":
            return CallbackAnswer(error_code=DROP)
    return CallbackAnswer(msg_body=message)


def _decide_friends(rules: Sequence[Rule], command: str, body: Body) -> CallbackAnswer:
    """Each account that is asked, or answered, is decided about by itself."""
    items = body.get(FRIEND_ITEMS[command])
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return CallbackAnswer(result_item=tuple(_decide_friend(rules, command, _asker(body), item) for item in found))


def _decide_friend(rules: Sequence[Rule], command: str, asker: str, item: Body) -> FriendDecision:
    to_account = str(item.get("To_Account", ""))
    texts = tuple(_texts((item.get("AddWording"), item.get("Remark"))))
    for rule in rules:
        if rule.fits(asker, texts):
            if rule.action == "allow":
                break
            code = rule.code or denial_of(command)
            return FriendDecision(to_account=to_account, result_code=code, result_info=rule.info)
    return FriendDecision(to_account=to_account)


def _asker(body: Body) -> str:
    return next((value for name in ASKERS if isinstance(value := body.get(name), str)), "")


def _contents(message: Any) -> Iterable[dict[str, Any]]:
    for element in message if isinstance(message, list) else ():
        content = element.get("MsgContent") if isinstance(element, dict) else None
        if isinstance(content, dict):
            yield content


def _said(message: Any) -> Iterable[bytes]:
    return _texts(content.get(name) for content in _contents(message) for name in SAID)


def _texts(values: Iterable[Any]) -> Iterable[bytes]:
    """As RE2 reads them: of a str it would first work out where each character is."""
    return (value.encode() for value in values if isinstance(value, str))


def _replaced(message: Any, rule: Rule) -> Any:
    """The same message with other words; the one that came stays as it is."""
    # A function, for in a replacement that is a text RE2 would look for groups.
    replacement = rule.replacement.encode()

    def words(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        changed: bytes = rule.pattern.sub(lambda _: replacement, value.encode())
        return changed.decode()

    def element(old: Any) -> Any:
        if not (isinstance(old, dict) and isinstance(content := old.get("MsgContent"), dict)):
            return old
        return {**old, "MsgContent": content | {name: words(content[name]) for name in SHOWN if name in content}}

    return [element(old) for old in message] if isinstance(message, list) else message
