// SPDX-License-Identifier: GPL-2.0-only
/* Files of certificates and keys, read by a process that may, for one that may not. */
#include "tls.h"

#include <stdlib.h>
#include <string.h>

#include "common/certificate.h"

void tls_file_put(FILE *out, enum tls_file_kind kind, const char *file, const char *key_file)
{
	static const char padding[8];
	struct tls_file head = { .kind = kind };
	const char *which = file;
	char *bytes = NULL;
	size_t len = 0;

	head.error = certificate_load(file, key_file, &bytes, &len, &which);
	(void)snprintf(head.name, sizeof(head.name), "%s", head.error ? which : file);
	head.length = len;
	(void)fwrite(&head, sizeof(head), 1, out);
	if (len)
		(void)fwrite(bytes, len, 1, out);
	if (tls_padded(len) > len)
		(void)fwrite(padding, tls_padded(len) - len, 1, out);
	free(bytes);
}
