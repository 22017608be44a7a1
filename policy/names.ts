/** Names of orgs and users, as they stand in addresses, tokens and keys. */

/** Sources of the patterns, for the API's description. */
export const ORG_NAME = "^[a-z0-9][a-z0-9._-]{0,62}$";
export const USER_NAME = "^[a-z0-9][a-z0-9._@+-]{0,62}$";

const ORG = new RegExp(ORG_NAME);
const USER = new RegExp(USER_NAME);
const MAPPED = /^[a-z0-9]{1,20}:[a-z0-9._@+:/-]{1,180}$/;

export function isOrgName(name: string): boolean {
  return ORG.test(name);
}

export function isUserName(name: string): boolean {
  return USER.test(name);
}

/**
 * Names that the proxy makes of an identity token's claims: `gha:acme/site`. They
 * hold a colon, so nobody can give one in an address or be given one with a token.
 */
export function isMappedUserName(name: string): boolean {
  return MAPPED.test(name);
}

export function isAscii(text: string): boolean {
  return !/[^\p{ASCII}]/u.test(text);
}
