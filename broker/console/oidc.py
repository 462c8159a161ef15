# SPDX-License-Identifier: EUPL-1.2
"""Signing in at an identity provider: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636).

The provider's addresses and keys come from its discovery document. Who somebody is, for which organisation and in
which role, are claims of the ID token with names from the settings. Its signature, issuer, audience, nonce and
times are checked; anything that is not as it must be is NotPermitted `sign-in-failed`, without saying what.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from broker.console.people import Officer, Role, new_token
from broker.settings import OidcSettings
from sluis.errors import InvalidInput, NotPermitted, Unavailable
from sluis.identifiers import Oin

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
LEEWAY = 60
TIMEOUT = 10.0
MAX_ANSWER = 256 * 1024

log = structlog.get_logger("broker.console")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in under way: where the browser goes, and what is kept until it comes back."""

    url: str
    state: str
    secrets: bytes


class IdentityProvider:
    """One provider, as the settings name it."""

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        host = urlsplit(settings.issuer).hostname or ""
        if not settings.issuer.startswith("https://") and host not in ("127.0.0.1", "localhost", "::1"):
            raise InvalidInput(
                "malformed-config", "an issuer is an https address", where="console_oidc.issuer"
            )
        self._settings = settings
        self._secret = settings.secret()
        self._redirect_uri = redirect_uri

    async def begin(self) -> Begun:
        """Start a sign-in. Raises Unavailable `peer-unavailable`."""
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            found = await self._discover(client)
        state, nonce, verifier = new_token(), new_token(), new_token()
        url = prepare_grant_uri(
            found["authorization_endpoint"],
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=self._settings.scope,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),  # type: ignore[no-untyped-call]  # typed by a stub that lags
            code_challenge_method="S256",
        )
        return Begun(
            url=url, state=state, secrets=json.dumps({"nonce": nonce, "verifier": verifier}).encode()
        )

    async def finish(self, kept: bytes, code: str) -> Officer:
        """Exchange the code, check the ID token and read the officer from it. Raises NotPermitted `sign-in-failed`."""
        secrets = json.loads(kept)
        if not code:
            raise NotPermitted("sign-in-failed")
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                found = await self._discover(client)
                token = await self._token(client, found["token_endpoint"], code, secrets["verifier"])
                keys = jwk.KeySet.import_key_set(await _get_json(client, found["jwks_uri"]))  # type: ignore[arg-type]
            claims = self._claims(str(token["id_token"]), keys, secrets["nonce"])
            return self._officer(claims)
        except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError, InvalidInput) as error:
            log.info("console.sign-in-failed", kind=type(error).__name__)
            raise NotPermitted("sign-in-failed") from None

    async def _discover(self, client: httpx.AsyncClient) -> Mapping[str, Any]:
        issuer = self._settings.issuer
        found = await _get_json(client, issuer.rstrip("/") + "/.well-known/openid-configuration")
        # OpenID Connect Discovery 1.0, section 4.3: else another provider could answer for this one.
        if found.get("issuer") != issuer:
            raise Unavailable("peer-unavailable", "the identity provider calls itself by another name")
        return found

    async def _token(
        self, client: httpx.AsyncClient, url: str, code: str, verifier: str
    ) -> Mapping[str, Any]:
        body = prepare_token_request(
            "authorization_code", "", self._redirect_uri, code=code, code_verifier=verifier
        )
        method = "client_secret_basic" if self._secret else "none"
        auth = ClientAuth(self._settings.client_id, self._secret, method)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, body = auth.prepare("POST", url, headers, body)  # type: ignore[no-untyped-call]  # the same
        return await _read_json(client.build_request("POST", url, headers=headers, content=body), client)

    def _claims(self, token: str, keys: jwk.KeySet, nonce: str) -> Mapping[str, Any]:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        client_id = self._settings.client_id
        options = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": client_id},
        }
        params = {"nonce": nonce, "client_id": client_id}
        claims = CodeIDToken(decoded.claims, decoded.header, options, params)
        claims.validate(leeway=LEEWAY)
        return dict(claims)

    def _officer(self, claims: Mapping[str, Any]) -> Officer:
        settings = self._settings
        role = str(claims[settings.role_claim])
        return Officer(
            reference=str(claims[settings.reference_claim]),
            organisation=Oin.parse(str(claims[settings.organisation_claim])),
            role=Role.parse(settings.roles.get(role, role)),
        )


async def _get_json(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    return await _read_json(client.build_request("GET", url), client)


async def _read_json(request: httpx.Request, client: httpx.AsyncClient) -> Mapping[str, Any]:
    """A JSON object. Raises Unavailable `peer-unavailable` for no answer, NotPermitted for a refusal."""
    try:
        answer = await client.send(request)
    except httpx.HTTPError:
        raise Unavailable("peer-unavailable", "the identity provider does not answer") from None
    if answer.status_code >= 500:
        raise Unavailable("peer-unavailable", "the identity provider does not answer")
    if answer.status_code != 200 or len(answer.content) > MAX_ANSWER:
        raise NotPermitted("sign-in-failed")
    value = answer.json()
    if not isinstance(value, dict):
        raise NotPermitted("sign-in-failed")
    return value
