"""A plugin's own variables, read from the environment and ``.env`` like the core's.

``Settings`` is the base of a plugin's model: a field's upper-cased name is its variable, and a secret is a
``SecretStr``. A backend names its model, or the hook ``latchpin_settings`` does. ``load`` reads one; where a value does
not hold it raises ``SettingsError``, whose text names the variable and holds no secret::

    class AcmeSettings(Settings):
        acme_hosts: Words = Field((), description="Hosts that may be asked; empty: all.")

    settings = load(AcmeSettings)

``renamed`` lets a field be read by an earlier name of its variable too; the log says so at the start. ``variables``
names those that a model reads.

``Words`` is the type of a list, written as a JSON list or as words with commas or blanks between them, and
``SecretWords`` of a list of secrets. ``mask`` strikes
the passwords out of a text that holds URLs, for a log or a message. ``CoreSettings`` is the core's own model: a plugin
reads it where it must fit in with the gateway, such as ``base_url``.
"""

from latchpin.settings import Settings, load, mask, renamed, variables
from latchpin.settings.core import CoreSettings, SecretWords, Words

__all__ = ["CoreSettings", "SecretWords", "Settings", "Words", "load", "mask", "renamed", "variables"]
