/* receive_datagrams NAME COUNT: binds the datagram socket NAME ('@' begins an abstract name), prints "bound", then
 * COUNT datagrams, one per line. It plays systemd's side of sd_notify. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (count != 3 || strlen(arguments[1]) >= sizeof address.sun_path)
		return 2;
	size_t length = strlen(arguments[1]);
	memcpy(address.sun_path, arguments[1], length);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (descriptor < 0 ||
	    bind(descriptor, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return perror("bind"), 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("bound");
	for (int left = atoi(arguments[2]); left > 0; left--) {
		char datagram[2048];
		ssize_t got = recv(descriptor, datagram, sizeof datagram, 0);
		if (got < 0)
			return perror("recv"), 1;
		printf("%.*s\n", (int)got, datagram);
	}
	return 0;
}
