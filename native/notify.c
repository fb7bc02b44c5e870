#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *socket_name, const char *state, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t name_length = strlen(socket_name);
	struct timeval patience = { .tv_sec = 1 };

	if ((socket_name[0] != '/' && socket_name[0] != '@') || name_length < 2)
		return EINVAL;
	if (name_length >= sizeof address.sun_path)
		return ENAMETOOLONG;
	memcpy(address.sun_path, socket_name, name_length);
	if (socket_name[0] == '@')
		address.sun_path[0] = '\0'; /* unix(7): an abstract name starts with NUL; only its length ends it */

	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return errno;
	socklen_t address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_length);
	int error = 0;
	if (setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
	    sendto(descriptor, state, length, MSG_NOSIGNAL, (struct sockaddr *)&address, address_length) < 0)
		error = errno;
	close(descriptor);
	return error;
}
