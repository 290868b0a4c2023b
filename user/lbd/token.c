// SPDX-License-Identifier: GPL-2.0-only
/* The token that lets changes in over TCP: read once, from a file that is root's alone. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin.h"
#include "lbd.h"

#define LEAST 16u
#define MOST 256u
/* RFC 6750, section 2.1. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
#define BEARER "Bearer "

static char token[MOST + 1]; /* empty: none */

static int read_token(int fd, const char *path, char text[MOST + 2], struct lb_error *err)
{
	struct stat st;
	ssize_t length;

	if (fd < 0 || fstat(fd, &st))
		return lb_fail(err, -errno, "token file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return lb_fail(err, -EINVAL, "token file %s: is no file", path);
	if (st.st_mode & 077)
		return lb_fail(err, -EPERM,
			       "token file %s: others than its owner may read or write it (%04o): "
			       "'chmod 600 %s'",
			       path, st.st_mode & 0777, path);
	length = read(fd, text, MOST + 1);
	if (length < 0)
		return lb_fail(err, -errno, "token file %s: %s", path, strerror(errno));
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int token_read(const char *path, struct lb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[MOST + 2];
	int ret = read_token(fd, path, text, err);

	if (fd >= 0)
		(void)close(fd);
	if (ret)
		return ret;
	if (strlen(text) < LEAST || strlen(text) > MOST)
		return lb_fail(err, -EINVAL,
			       "token file %s: its first line has %zu characters, expected %u to "
			       "%u: 'openssl rand -hex 32 >%s'",
			       path, strlen(text), LEAST, MOST, path);
	if (text[strspn(text, LETTERS)])
		return lb_fail(err, -EINVAL,
			       "token file %s: expected letters, digits and -._~+/= only", path);
	memcpy(token, text, strlen(text) + 1);
	return 0;
}

bool token_is_there(void)
{
	return token[0];
}

/* In the same time whatever is given, so that nobody finds it letter by letter. */
static bool is_same(const char *given)
{
	const size_t length = strlen(given);
	volatile unsigned char differs = length != strlen(token);

	for (size_t i = 0; i < sizeof(token); i++)
		differs |= (unsigned char)(token[i] ^ (i < length ? given[i] : 0));
	return !differs;
}

bool token_is_given(const char *authorization)
{
	const size_t length = sizeof(BEARER) - 1;

	return token[0] && authorization && !strncasecmp(authorization, BEARER, length) &&
	       is_same(authorization + length);
}
