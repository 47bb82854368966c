# compiler.m4 - warnings, hardening and instrumentation, where the compiler has
# them. What the user wrote into CFLAGS comes last and wins.
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# SMTPBLOCK_FLAG(VARIABLE, FLAG)
# ------------------------------
# Append FLAG to VARIABLE if the compiler and linker take it without a warning.
AC_DEFUN([SMTPBLOCK_FLAG], [
  AS_VAR_PUSHDEF([smtpblock_cache], [smtpblock_cv_flag_$2])
  AC_CACHE_CHECK([whether $CC takes $2], [smtpblock_cache], [
    smtpblock_save_CFLAGS=$CFLAGS
    CFLAGS="-Werror $CFLAGS $2"
    AC_LINK_IFELSE([AC_LANG_PROGRAM()],
      [AS_VAR_SET([smtpblock_cache], [yes])],
      [AS_VAR_SET([smtpblock_cache], [no])])
    CFLAGS=$smtpblock_save_CFLAGS
  ])
  AS_VAR_IF([smtpblock_cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
  AS_VAR_POPDEF([smtpblock_cache])
])

# SMTPBLOCK_WARNINGS
# ------------------
# WARN_CFLAGS. --enable-werror is for who changes the source, not for who builds
# it with a compiler that did not exist yet.
AC_DEFUN([SMTPBLOCK_WARNINGS], [
  WARN_CFLAGS=
  m4_foreach_w([flag], [-Wall -Wextra -Wconversion -Wsign-conversion -Wshadow
      -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef
      -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla],
    [SMTPBLOCK_FLAG([WARN_CFLAGS], m4_defn([flag]))])
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [warnings are errors])],
    [], [enable_werror=no])
  AS_IF([test "x$enable_werror" = xyes],
    [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])
  AC_SUBST([WARN_CFLAGS])
])

# SMTPBLOCK_HARDENING
# -------------------
# HARDEN_CPPFLAGS, HARDEN_CFLAGS, HARDEN_LDFLAGS, and PIE_LDFLAGS for programs: what
# Debian builds its packages with (hardening=+all). The compiler refuses what its
# architecture does not have: -fcf-protection is x86's, -mbranch-protection ARM's.
# _FORTIFY_SOURCE is left alone where the user or the distribution's compiler
# sets it, and where nothing is optimised, for there it only warns.
AC_DEFUN([SMTPBLOCK_HARDENING], [
  HARDEN_CPPFLAGS= HARDEN_CFLAGS= HARDEN_LDFLAGS= PIE_LDFLAGS=
  m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection
      -fcf-protection -mbranch-protection=standard -fPIE],
    [SMTPBLOCK_FLAG([HARDEN_CFLAGS], m4_defn([flag]))])
  SMTPBLOCK_FLAG([HARDEN_CFLAGS], [-Wformat=2 -Werror=format-security])
  SMTPBLOCK_FLAG([PIE_LDFLAGS], [-pie])
  SMTPBLOCK_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
  SMTPBLOCK_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
  AC_MSG_CHECKING([whether to add _FORTIFY_SOURCE])
  smtpblock_fortify=no
  AS_IF([test -z "$SANITIZE_FLAGS"], [
    AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#if !defined __OPTIMIZE__ || defined _FORTIFY_SOURCE
#error "not to be added"
#endif
      ]])], [smtpblock_fortify=yes])
  ])
  AC_MSG_RESULT([$smtpblock_fortify])
  AS_IF([test $smtpblock_fortify = yes],
    [HARDEN_CPPFLAGS=-D_FORTIFY_SOURCE=2])
  AC_SUBST([HARDEN_CPPFLAGS])
  AC_SUBST([HARDEN_CFLAGS])
  AC_SUBST([HARDEN_LDFLAGS])
  AC_SUBST([PIE_LDFLAGS])
])

# SMTPBLOCK_INSTRUMENTATION
# -------------------------
# SANITIZE_FLAGS and COVERAGE_FLAGS, for compiler and linker alike. What was
# asked for and cannot be had is an error: a run without it would prove nothing.
AC_DEFUN([SMTPBLOCK_INSTRUMENTATION], [
  SANITIZE_FLAGS= COVERAGE_FLAGS=
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST],
      [build with these sanitizers, such as address,undefined])],
    [], [enable_sanitizers=no])
  AC_ARG_ENABLE([coverage],
    [AS_HELP_STRING([--enable-coverage], [count the lines that tests reach])],
    [], [enable_coverage=no])
  AS_CASE([$enable_sanitizers],
    [no], [],
    [yes], [AC_MSG_ERROR([--enable-sanitizers needs a list, such as address,undefined])],
    [_SMTPBLOCK_SANITIZE])
  AS_IF([test "x$enable_coverage" = xyes],
    [COVERAGE_FLAGS="--coverage -fprofile-update=atomic"])
  AC_SUBST([SANITIZE_FLAGS])
  AC_SUBST([COVERAGE_FLAGS])
])

AC_DEFUN([_SMTPBLOCK_SANITIZE], [
  SANITIZE_FLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
  AC_MSG_CHECKING([whether $CC takes -fsanitize=$enable_sanitizers])
  smtpblock_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $SANITIZE_FLAGS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$CC cannot build with -fsanitize=$enable_sanitizers: see config.log])])
  CFLAGS=$smtpblock_save_CFLAGS
])
