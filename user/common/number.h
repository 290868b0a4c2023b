/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for people: reading them strictly, and writing them short. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdint.h>

#define NUMBER_TEXT_SIZE 32

/* Decimal digits only. 0; -EINVAL no number; -ERANGE not from low to high. */
int number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out);

/* All of these write into buf and return it. */
const char *number_group(uint64_t number, char buf[NUMBER_TEXT_SIZE]); /* 1,234,567 */
const char *number_bytes(uint64_t number, char buf[NUMBER_TEXT_SIZE]); /* 204M, 1.1G: 1024s */
const char *number_share(uint64_t part, uint64_t whole, char buf[NUMBER_TEXT_SIZE]); /* 33.3% */
const char *number_duration(uint64_t ms, char buf[NUMBER_TEXT_SIZE]); /* 1.2s, 3m20s, 2h05m */

#endif
