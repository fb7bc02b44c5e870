/**
 * How long a socket without an exchange is kept for the next one. A device on the way may lose an idle
 * connection and tell no one: the next request on it then waits until its own deadline. Shorter than the five
 * seconds after which Node's servers close an idle connection, the shortest time of common servers.
 */
export const IDLE_SOCKET_MS = 4000
