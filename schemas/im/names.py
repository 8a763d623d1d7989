"""The API's spelling of names: `msg_key` is MsgKey, `to_account` To_Account, `user_id` UserID."""

_ODD = {"user_id": "UserID", "ip_list": "IPList"}


def api_name(name: str) -> str:
    """For `rename=` of a body's struct."""
    if name in _ODD:
        return _ODD[name]
    words = [word.capitalize() for word in name.split("_")]
    # Accounts of a call are written with an underscore: From_Account, Fail_Account.
    return ("_" if words[1:] == ["Account"] else "").join(words)
