/** A variable that cannot be used: one line for the terminal. */
export class SettingError extends Error {
  override readonly name = "SettingError";

  constructor(variable: string, value: string, accepted: string) {
    super(`Cannot use ${variable}=${JSON.stringify(withoutPassword(value))}: ${accepted}`);
  }
}

/** For the terminal: an address may hold a user and a password, with or without its slashes. */
function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/]*@/g, "//…@").replace(/(^|[\s,/])[^\s,/@]*:[^\s,/@]*@/g, "$1…@");
}
