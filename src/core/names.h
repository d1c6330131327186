/* names.h: what names and words of the contract look like. Private to the core. */
#ifndef ACCOUNTD_CORE_NAMES_H
#define ACCOUNTD_CORE_NAMES_H

#include "accountd/arena.h"
#include "accountd/slice.h"

/* 1–32 of A-Z a-z 0-9 _ - */
bool acd_name_is_app(struct acd_slice name);

/* 1–32 of A-Z a-z 0-9 . _ @ -, first a letter or digit */
bool acd_name_is_account(struct acd_slice name);

/* 1–64 bytes of ! to ~ */
bool acd_name_is_id(struct acd_slice name);

/* 1–8 letters */
bool acd_name_is_custom_tag(struct acd_slice name);

/* The place of a text among the words, or -1. */
int acd_words_find(const struct acd_slice *words, size_t count, struct acd_slice text);

/* "a, b or c", for messages. */
struct acd_slice acd_words_prose(struct acd_arena *arena, const struct acd_slice *words, size_t count);

#endif
