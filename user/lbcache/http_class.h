/* SPDX-License-Identifier: GPL-2.0-only */
/* Which byte may stand where: one table, one bit a class. */
#ifndef LBCACHE_HTTP_CLASS_H
#define LBCACHE_HTTP_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_C_TOKEN 1u	 /* RFC 9110 5.6.2 */
#define HTTP_C_VALUE 2u	 /* field content: visible, obs-text, space, tab */
#define HTTP_C_TARGET 4u /* visible, without what no URI may hold raw and others misread */
#define HTTP_C_HOST 8u	 /* reg-name, IP literal, port */
#define HTTP_C_DIGIT 16u
#define HTTP_C_HEX 32u
#define HTTP_C_BLANK 64u /* space and tab */

extern const uint8_t http_class[256];

static inline bool http_is(char c, unsigned int class)
{
	return http_class[(uint8_t)c] & class;
}

#endif
