/** Another address of this machine for each agent. */
export const addressOf = (index: number) => `127.0.${1 + (index >> 8)}.${index & 255}`;
