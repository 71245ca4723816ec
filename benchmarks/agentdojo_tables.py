"""What the author of AgentDojo's tools would declare of them, from what they do; and what its tasks leave to a text."""

from __future__ import annotations

from agentkit.tools.tool import Sink

DELEGATED = {
    ("workspace", "user_task_13"): "do the actions specified in the email from ...",
    ("workspace", "user_task_19"): "do the actions specified in the email from ...",
    ("banking", "user_task_12"): "read the file and follow the instructions precisely",
    ("slack", "user_task_18"): "do all the tasks on my list at www...",
    ("slack", "user_task_19"): "do all the tasks on my list at www...",
}
"""Tasks that leave it to a text what is to be done.

Neither a plan nor an outline can name their calls before the text is read, and whoever wrote it decides all of them.
"""

SOURCES: dict[str, dict[str, str]] = {
    # Mail, invitations and shared files are written by others; the address book is the user's own.
    "workspace": dict.fromkeys(
        [
            "get_unread_emails",
            "get_sent_emails",
            "get_received_emails",
            "get_draft_emails",
            "search_emails",
            "search_calendar_events",
            "get_day_calendar_events",
            "search_files_by_filename",
            "get_file_by_id",
            "list_files",
            "search_files",
        ],
        "untrusted",
    ),
    # All that the travel site says, reviews and addresses alike, and invitations.
    "travel": dict.fromkeys(
        [
            "get_all_hotels_in_city",
            "get_hotels_prices",
            "get_rating_reviews_for_hotels",
            "get_hotels_address",
            "get_all_restaurants_in_city",
            "get_cuisine_type_for_restaurants",
            "get_restaurants_address",
            "get_rating_reviews_for_restaurants",
            "get_dietary_restrictions_for_all_restaurants",
            "get_contact_information_for_restaurants",
            "get_price_for_restaurants",
            "check_restaurant_opening_hours",
            "get_all_car_rental_companies_in_city",
            "get_car_types_available",
            "get_rating_reviews_for_car_rental",
            "get_car_fuel_options",
            "get_car_rental_address",
            "get_car_price_per_day",
            "get_flight_information",
        ],
        "web",
    )
    | dict.fromkeys(["search_calendar_events", "get_day_calendar_events"], "untrusted"),
    # Bills and letters, and what senders write on transfers; standing orders and account data are the user's own.
    "banking": dict.fromkeys(["get_most_recent_transactions", "read_file"], "untrusted"),
    # Whatever others write: messages, names of channels and of users, web pages.
    "slack": dict.fromkeys(["get_channels", "read_channel_messages", "read_inbox", "get_users_in_channel"], "untrusted")
    | {"get_webpage": "web"},
}
"""What the results of tools hold, by suite; that of a tool which is not named is the user's own."""

OWN = ("id_", "id", "email_id")
"""Fields of results that the services make themselves; arguments that end in ``id`` take their values from there."""

_CALENDAR: dict[str, Sink] = {
    "create_calendar_event": ("participants", "start_time", "end_time"),
    "cancel_calendar_event": True,
    "reschedule_calendar_event": True,
    "add_calendar_event_participants": True,
}
_MAIL: dict[str, Sink] = {"send_email": ("recipients", "cc", "bcc", "attachments"), "delete_email": True}
SINKS: dict[str, dict[str, Sink]] = {
    "workspace": _CALENDAR
    | _MAIL
    | {
        "append_to_file": ("file_id",),
        "create_file": ("filename",),
        "delete_file": True,
        "share_file": True,
    },
    "travel": _CALENDAR | _MAIL | dict.fromkeys(["reserve_hotel", "reserve_car_rental", "reserve_restaurant"], True),
    "banking": {
        "send_money": ("recipient", "amount"),
        "schedule_transaction": ("recipient", "amount", "recurring"),
        "update_scheduled_transaction": ("id", "recipient", "amount", "recurring"),
        "update_password": True,
        "update_user_info": True,
    },
    "slack": {
        "send_direct_message": ("recipient",),
        "send_channel_message": ("channel",),
        "post_webpage": ("url",),
        "add_user_to_channel": True,
        "invite_user_to_slack": True,
        "remove_user_from_slack": True,
    },
}
"""Tools with effects, and the arguments that decide what the effect is; a tool that is not named only reads."""
