"""Which variables are secret, and what becomes of their values in a text."""

import os

import pytest

from genlab.redaction import redact, redact_all, refer

SECRETS = """
    WANDB_API_KEY HF_TOKEN my_secret DB_PASSWORD AWS_CREDENTIALS PGPASSWORD ACCESSTOKEN SECRETKEY HTTP_AUTHORIZATION
    dbPassword MYAPIKEY GH_PAT apiKey accessToken clientSecret KEYS TOKENS KEY1 TOKEN_2 MYSQL_PWD PASSWD SSHPASS
    SSH_PASSPHRASE AUTH NPM_AUTH oauth2 X_AUTH_KEY GOOGLE_APPLICATION_CREDENTIALS CREDS PRIVATEKEY AUTHENTICATION
    AUTHORIZED_KEYS COMPASS_TOKEN MONKEY_API_KEY KEYBOARD_SECRET TOKENIZER_TOKEN AUTHOR_PASSWORD userpass PASSKEY
    AWS_SECRET_ACCESS_KEY GITHUBTOKEN PAT
"""
ORDINARY = """
    HOME PATH CLASSPATH HIDDEN GIT_AUTHOR_NAME AUTHORS XAUTHORITY CERT_AUTHORITY KEYBOARD KEYBOARD_LAYOUT KEYMAP
    KEYWORDS MONKEY MONKEYPATCH TURKEY HOCKEY_TEAM PASSENGER PASSENGERS COMPASS BYPASS BYPASS_CACHE PASSAGE N_PASSES
    PASSIVE PASSPORT_COUNTRY GIT_ASKPASS SSH_ASKPASS LOWPASS SSH_AUTH_SOCK TOKENIZERS_PARALLELISM TOKENIZER PWD OLDPWD
    HOST_PWD SECRETARY PATTERN SPATIAL DATA_DIR WANDB_PROJECT WANDB_BASE_URL COMPOSE_PROJECT_NAME RUN_NAME
"""


@pytest.fixture
def environment(monkeypatch):
    """Nothing but what a test sets."""
    monkeypatch.setattr(os, "environ", {})
    return os.environ


@pytest.mark.parametrize("name", SECRETS.split())
def test_a_variable_is_secret_by_a_part_of_its_name(name, environment):
    environment |= {name: "shibboleth"}
    assert redact("say shibboleth!") == f"say ${{oc.env:{name}}}!"


@pytest.mark.parametrize("name", ORDINARY.split())
def test_a_longer_word_that_holds_such_a_part_is_none(name, environment):
    environment |= {name: "shibboleth"}
    assert redact("say shibboleth!") == "say shibboleth!"


@pytest.mark.parametrize(
    "value", ["shibboleth", "swordfish", "hunter2", "a1b2c3", "p ss'\"", "eyJhbGci.eyJzdWIi.x_-", "geheim!", "q/+=xyz="]
)
def test_a_secret_may_look_like_anything(value, environment):
    environment |= {"MY_KEY": value}
    assert redact(f"say ({value})") == "say (${oc.env:MY_KEY})"


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "no", "true", "False", "null", "bearer", "abcdefg", "abc12"),  # short
        *("100000", "12345678", "0.00025", "1e-05", "100_000"),  # numbers
        *("gan", "digits", "frechet", "fashion_mnist", "huggingface", "tensorboard", "digits_vaegan"),  # options
        *("batch_size", "latent_dim", "check_val_every_n_epoch", "callbacks.frechet.n_samples"),  # keys
        *("genlab", "genlab.models.VAE", "torch.optim.RMSprop", "lightning.pytorch.Trainer"),  # names of code
    ],
)
def test_what_is_short_a_number_or_a_name_of_the_project_is_let_through(value, environment):
    environment |= {"MY_KEY": value}
    assert redact(f"say {value}") == f"say {value}"


def test_white_space_around_a_secret_is_no_part_of_it(environment):
    environment |= {"MY_KEY": " shibboleth\n"}
    assert redact("say shibboleth!") == "say ${oc.env:MY_KEY}!"


def test_a_secret_of_several_lines_is_found_as_a_whole(environment):
    environment |= {"MY_KEY": "line one\nline two"}
    assert redact("a line one\nline two b, line one") == "a ${oc.env:MY_KEY} b, line one"


def test_of_two_secrets_of_which_one_holds_the_other_the_longer_is_named(environment):
    environment |= {"A_KEY": "shibboleth", "B_KEY": "shibboleth-and-more"}
    assert refer("shibboleth-and-more") == "${oc.env:B_KEY}"


def test_of_two_variables_with_one_value_the_first_by_its_name_is_named(environment):
    environment |= {"B_KEY": "shibboleth", "A_KEY": "shibboleth"}
    assert refer("shibboleth") == "${oc.env:A_KEY}"


def test_an_address_shows_neither_user_nor_password(environment):
    assert redact("clone of https://me:geheim@example.org/a failed") == "clone of https://***@example.org/a failed"
    assert redact("mail me@example.org or see https://example.org/@me") == (
        "mail me@example.org or see https://example.org/@me"
    )


def test_of_containers_the_values_are_redacted_and_the_keys_are_not(environment):
    environment |= {"MY_KEY": "shibboleth"}
    assert redact_all({"shibboleth": ["shibboleth", 1, None, {"a": ("shibboleth",)}]}) == {
        "shibboleth": ["${oc.env:MY_KEY}", 1, None, {"a": ["${oc.env:MY_KEY}"]}]
    }
