/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/interleave.h — runs two or three operations in every order that their atomic steps can have.
 *
 * The code under test is compiled for ThreadSanitizer and linked against this file instead of its runtime, so every atomic
 * operation, and on request every plain access to memory that is watched, is a step: nothing in the code has to say so.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define INTERLEAVE_THREADS_MAX 3
#define INTERLEAVE_ALL         UINT32_MAX

/* A program and how it is to be run. */
struct interleave {
  const char *name;
  unsigned threads;
  void (*begin)(void *context);                   /* Puts everything back to the start, before each schedule. */
  void (*thread)(void *context, unsigned number); /* What thread 0, 1, 2 does. */
  bool (*end)(void *context);                     /* After each schedule: is everything as it must be? */
  void *context;
  uint32_t preemptions;   /* Threads are taken the CPU from at most so often; INTERLEAVE_ALL: every order, without repeating
                             those that differ only in the order of steps that have nothing to do with each other. */
  bool has_store_buffers; /* As on x86: a store may become visible only after loads that follow it. */
  bool has_plain_steps;   /* Plain accesses to watched memory are steps too. */
  uint64_t schedules_max; /* Ends there, and says so; 0 for no end. */
};

struct interleave_result {
  bool is_sound;      /* No schedule failed. */
  bool is_complete;   /* All of them were run. */
  uint64_t schedules; /* Run to their end. */
  uint64_t cut;       /* Given up half-way, because all that could follow has been seen. */
  uint64_t steps;     /* In all of them. */
  char wrong[200];    /* What the failed schedule did wrong. */
};

/** Runs schedules until one fails or all are done; prints a line with the counts, and the schedule that failed. */
struct interleave_result interleave_run(const struct interleave *program);
/** The same without a word: for programs that have to fail. */
struct interleave_result interleave_run_quietly(const struct interleave *program);

/** Memory whose plain accesses are steps, under a name for the printed schedule; until interleave_forget. */
void interleave_watch(const void *start, size_t size, const char *name);
void interleave_forget(void);

/* For threads under test and for the platform beneath them. */
/** Ends the schedule: it has failed. */
[[noreturn]] void interleave_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/** The number of the running thread; UINT32_MAX outside all of them. */
unsigned interleave_self(void);
/** This thread waits for something that another one has to write. */
void interleave_pause(void);
/** Takes a lock word from 0 to 1, once it is 0. */
void interleave_lock(uint32_t *word);
void interleave_unlock(uint32_t *word);
/** Every other thread passes a full barrier, one after the other, each when it has to. */
void interleave_barrier(void);
