# rsyslog.m4 - the headers of rsyslog's modules, and proof that they fit
#
# rsyslog has no installed interface for modules built outside its tree: most
# distributions ship no headers, the module interface has had the number 6 since
# 2010, and the layout of its structs depends on rsyslog's own config.h. So the
# headers must be of the release that runs, and the layout is compared here.
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# RSYSLOG_MODULE
# --------------
# All that a module needs. Sets and substitutes
#   RSYSLOG_VERSION   release of the headers
#   RSYSLOG_SOURCE    directory of the headers, absolute
#   RSYSLOG_CPPFLAGS  for sources that include rsyslog's headers, and only those
#   RSYSLOG_CFLAGS    the same
#   moddir            where the module is installed
AC_DEFUN([RSYSLOG_MODULE], [
  AC_REQUIRE([AC_PROG_SED])
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  _RSYSLOG_OPTIONS
  _RSYSLOG_WANTED
  _RSYSLOG_FIND
  _RSYSLOG_RELEASE
  _RSYSLOG_COMPARE
  _RSYSLOG_FLAGS
  _RSYSLOG_LAYOUT
  _RSYSLOG_MODDIR
])

AC_DEFUN([_RSYSLOG_OPTIONS], [
  AC_ARG_WITH([rsyslog-source],
    [AS_HELP_STRING([--with-rsyslog-source=DIR],
      [rsyslog's source tree or module headers @<:@/usr/include/rsyslog, else
       what ./bootstrap fetched@:>@])],
    [], [with_rsyslog_source=])
  AC_ARG_WITH([rsyslog-version],
    [AS_HELP_STRING([--with-rsyslog-version=RELEASE],
      [the rsyslog release to build for, such as 8.2302.0 @<:@that of the
       installed rsyslogd@:>@])],
    [], [with_rsyslog_version=])
  AC_ARG_WITH([moddir],
    [AS_HELP_STRING([--with-moddir=DIR],
      [where rsyslogd looks for modules @<:@the installed rsyslog's directory;
       LIBDIR/rsyslog where --prefix or --libdir is given@:>@])],
    [], [with_moddir=])
  AS_CASE([$with_rsyslog_source], [yes|no],
    [AC_MSG_ERROR([--with-rsyslog-source needs a directory])])
  AS_CASE([$with_rsyslog_version], [yes|no],
    [AC_MSG_ERROR([--with-rsyslog-version needs a release, such as 8.2302.0])])
  AS_CASE([$with_moddir], [yes|no],
    [AC_MSG_ERROR([--with-moddir needs a directory])])
])

# The release to build for: rsyslog_wanted, and in rsyslog_wanted_by who says so.
# Both stay empty where nobody does.
AC_DEFUN([_RSYSLOG_WANTED], [
  AC_PATH_PROG([RSYSLOGD], [rsyslogd], [],
    [$PATH$PATH_SEPARATOR/usr/local/sbin$PATH_SEPARATOR/usr/sbin$PATH_SEPARATOR/sbin])
  AC_MSG_CHECKING([which rsyslog release to build for])
  rsyslog_installed=
  AS_IF([test -n "$RSYSLOGD"], [
    rsyslog_installed=`"$RSYSLOGD" -v 2>/dev/null |
      $SED -n '1s/^rsyslogd  *\(@<:@0-9@:>@@<:@0-9.@:>@*\).*/\1/p'`
  ])
  AS_IF([test -n "$with_rsyslog_version"],
    [rsyslog_wanted=$with_rsyslog_version; rsyslog_wanted_by=--with-rsyslog-version],
    [rsyslog_wanted=$rsyslog_installed; rsyslog_wanted_by=$RSYSLOGD])
  AS_IF([test -n "$rsyslog_wanted"],
    [AC_MSG_RESULT([$rsyslog_wanted, says $rsyslog_wanted_by])],
    [AC_MSG_RESULT([that of the headers (no rsyslogd here)])])
])

# Where the headers are: RSYSLOG_SOURCE. What was named is taken or refused,
# never replaced by something else that happens to be there.
AC_DEFUN([_RSYSLOG_FIND], [
  AC_MSG_CHECKING([for the headers of rsyslog])
  rsyslog_fetched=`cd "$srcdir" && pwd`/rsyslog-headers
  rsyslog_packaged=`$PKG_CONFIG --variable=includedir rsyslog 2>/dev/null`
  AS_IF([test -n "$with_rsyslog_source"],
    [rsyslog_places=$with_rsyslog_source],
    [rsyslog_places="/usr/include/rsyslog ${rsyslog_packaged:+$rsyslog_packaged/rsyslog} $rsyslog_fetched"])
  RSYSLOG_SOURCE=
  for rsyslog_place in $rsyslog_places; do
    AS_IF([test -f "$rsyslog_place/runtime/module-template.h" ||
           test -f "$rsyslog_place/module-template.h"],
      [RSYSLOG_SOURCE=`cd "$rsyslog_place" && pwd`; break])
  done
  AS_IF([test -z "$RSYSLOG_SOURCE"], [
    AC_MSG_RESULT([no])
    AC_MSG_ERROR([no module headers of rsyslog ${rsyslog_wanted:+$rsyslog_wanted }in
    $rsyslog_places
  Type one of
    ./bootstrap                            fetches them through apt
    ./configure --with-rsyslog-source=DIR  DIR: unpacked source of rsyslog${rsyslog_wanted:+ $rsyslog_wanted}])
  ])
  AC_MSG_RESULT([$RSYSLOG_SOURCE])
  AC_SUBST([RSYSLOG_SOURCE])
])

# The release of the headers: RSYSLOG_VERSION, empty where nothing tells. What a
# package put into /usr/include is of the release that the packages installed.
AC_DEFUN([_RSYSLOG_RELEASE], [
  RSYSLOG_VERSION=
  AS_IF([test -f "$RSYSLOG_SOURCE/configure.ac"], [
    RSYSLOG_VERSION=`$SED -n \
      's/^AC@&t@_INIT(@<:@@<:@@:>@*rsyslog@<:@@:>@@:>@*,@<:@@<:@ @:>@*\(@<:@0-9@:>@@<:@0-9.@:>@*@<:@0-9@:>@\).*/\1/p' \
      "$RSYSLOG_SOURCE/configure.ac"`
  ], [
    RSYSLOG_VERSION=`$PKG_CONFIG --modversion rsyslog 2>/dev/null`
    AS_IF([test -z "$RSYSLOG_VERSION"],
      [AS_CASE([$RSYSLOG_SOURCE], [/usr/include/*], [RSYSLOG_VERSION=$rsyslog_installed])])
  ])
  AC_SUBST([RSYSLOG_VERSION])
])

# Refuse headers of another release than the one asked for, or of none. 8.2302
# asks for any 8.2302.x.
AC_DEFUN([_RSYSLOG_COMPARE], [
  AC_MSG_CHECKING([whether these headers are of that release])
  rsyslog_fits=no
  AS_CASE([$RSYSLOG_VERSION],
    [''], [],
    [${rsyslog_wanted:-$RSYSLOG_VERSION}|$rsyslog_wanted.*],
      [rsyslog_fits="yes, $RSYSLOG_VERSION"])
  AC_MSG_RESULT([$rsyslog_fits])
  AS_IF([test "$rsyslog_fits" = no], [_RSYSLOG_REFUSE])
  _RSYSLOG_TOO_OLD
])

AC_DEFUN([_RSYSLOG_REFUSE], [
  AC_MSG_ERROR([$RSYSLOG_SOURCE
  is rsyslog ${RSYSLOG_VERSION:-of an unknown release}, wanted is ${rsyslog_wanted:-a known one} ($rsyslog_wanted_by).
  A module built for another release can crash rsyslogd. Type one of
    ./bootstrap                            fetches the headers of the installed release
    ./configure --with-rsyslog-source=DIR  DIR: unpacked source of rsyslog ${rsyslog_wanted:-}
    ./configure --with-rsyslog-version=${RSYSLOG_VERSION:-RELEASE}  to build for rsyslog ${RSYSLOG_VERSION:-RELEASE}, which runs elsewhere])
])

# 8.2302 is the oldest release that the module is built for and tried on.
AC_DEFUN([_RSYSLOG_TOO_OLD], [
  AS_VERSION_COMPARE([${RSYSLOG_VERSION:-8.2302}], [8.2302],
    [AC_MSG_ERROR([rsyslog $RSYSLOG_VERSION is too old: 8.2302.0 or later is needed])])
])

# RSYSLOG_CPPFLAGS. -isystem: rsyslog's headers do not hold up to our warnings.
# They include the headers of these libraries; of the three only libestr is used.
# plugin/rsyslog_abi.h stands for rsyslog's config.h. RSYSLOG_CFLAGS: macros of
# rsyslog's, expanded in our files, cast string literals to unsigned char *.
AC_DEFUN([_RSYSLOG_FLAGS], [
  PKG_CHECK_MODULES([LIBESTR], [libestr])
  PKG_CHECK_MODULES([LIBFASTJSON], [libfastjson])
  PKG_CHECK_MODULES([ZLIB], [zlib])
  rsyslog_abi=`cd "$srcdir" && pwd`/plugin/rsyslog_abi.h
  RSYSLOG_CPPFLAGS="-include $rsyslog_abi"
  for rsyslog_dir in "" /runtime /grammar; do
    AS_IF([test -d "$RSYSLOG_SOURCE$rsyslog_dir"],
      [AS_VAR_APPEND([RSYSLOG_CPPFLAGS], [" -isystem $RSYSLOG_SOURCE$rsyslog_dir"])])
  done
  for rsyslog_flag in $LIBESTR_CFLAGS $LIBFASTJSON_CFLAGS $ZLIB_CFLAGS; do
    AS_CASE([$rsyslog_flag],
      [-I*], [AS_VAR_APPEND([RSYSLOG_CPPFLAGS],
        [" -isystem `AS_ECHO(["$rsyslog_flag"]) | $SED 's/^-I//'`"])],
      [AS_VAR_APPEND([RSYSLOG_CPPFLAGS], [" $rsyslog_flag"])])
  done
  RSYSLOG_CFLAGS=
  SMTPBLOCK_FLAG([RSYSLOG_CFLAGS], [-Wno-cast-qual])
  AC_SUBST([RSYSLOG_CPPFLAGS])
  AC_SUBST([RSYSLOG_CFLAGS])
])

# The layout of a distribution's build, seen from the structs that a module
# touches and that change with rsyslog's config.h. Sizes are compared with what
# their members need, not with figures: those differ between machines and
# releases.
#   obj_t       heads every rsyslog object; a debug build puts a cookie into it
#               and all that follows moves by a pointer's size
#   cstr_t      heads likewise with an object ID in a debug build
#   modInfo_t   a DEBUG build appends a list to it
#   counters    without atomics each has a mutex beside it
#   off64_t     in arguments of interface functions
# CURR_MOD_IF_VERSION is what rsyslogd asks for when it loads the module.
# Headers of 8.2608 include a config.h: an empty one here, ours in the build.
AC_DEFUN([_RSYSLOG_LAYOUT], [
  AC_MSG_CHECKING([whether the layout is that of a distribution's rsyslog])
  rsyslog_save_CPPFLAGS=$CPPFLAGS
  AS_MKDIR_P([conftest.rsyslog])
  : >conftest.rsyslog/config.h
  CPPFLAGS="$RSYSLOG_CPPFLAGS -Iconftest.rsyslog $CPPFLAGS"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([_RSYSLOG_LAYOUT_INCLUDES],
      [_RSYSLOG_LAYOUT_ASSERTIONS])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$RSYSLOG_SOURCE
  does not compile, or gives another layout than the one rsyslogd has: see the
  _Static_assert or the error at the end of config.log. The headers may be
  incomplete, or newer than this module knows.])])
  CPPFLAGS=$rsyslog_save_CPPFLAGS
  rm -rf conftest.rsyslog
])

m4_define([_RSYSLOG_LAYOUT_INCLUDES], [[
#include <stddef.h>
#include <pthread.h>
#include "rsyslog.h"
#include "module-template.h"
#include "stringbuf.h"
#include "statsobj.h"
]])

m4_define([_RSYSLOG_LAYOUT_ASSERTIONS], [[
  struct counter { STATSCOUNTER_DEF(value, mutex) };
  struct flag { int value; DEF_ATOMIC_HELPER_MUT(mutex) };
  _Static_assert(CURR_MOD_IF_VERSION == 6, "module interface version");
  _Static_assert(sizeof(obj_t) == 2 * sizeof(void *), "obj_t: NDEBUG");
  _Static_assert(offsetof(obj_t, pszName) == sizeof(void *), "obj_t: NDEBUG");
  _Static_assert(offsetof(cstr_t, pBuf) == 0, "cstr_t: NDEBUG");
  _Static_assert(offsetof(modInfo_t, pModHdlr) + sizeof(void *)
                 == sizeof(modInfo_t), "modInfo_t: DEBUG");
  _Static_assert(sizeof(struct counter) == sizeof(intctr_t),
                 "counters: HAVE_ATOMIC_BUILTINS64");
  _Static_assert(sizeof(struct flag) == sizeof(int),
                 "flags: HAVE_ATOMIC_BUILTINS");
  _Static_assert(sizeof(off64_t) == 8, "off64_t");
]])

# The directory that the installed rsyslogd loads modules from, by lmnet, which
# every rsyslogd has: rsyslog_found_moddir. Empty where there is none.
AC_DEFUN([_RSYSLOG_FIND_MODDIR], [
  AC_MSG_CHECKING([where the installed rsyslogd has its modules])
  rsyslog_found_moddir=
  rsyslog_multiarch=`$CC -print-multiarch 2>/dev/null`
  for rsyslog_dir in ${rsyslog_multiarch:+/usr/lib/$rsyslog_multiarch} \
      /usr/lib64 /usr/lib /lib64 /lib /usr/local/lib64 /usr/local/lib; do
    AS_IF([test -f "$rsyslog_dir/rsyslog/lmnet.so"],
      [rsyslog_found_moddir=$rsyslog_dir/rsyslog; break])
  done
  AC_MSG_RESULT([${rsyslog_found_moddir:-no modules found}])
])

# moddir. A plain ./configure installs to where rsyslogd will find the module;
# who names a prefix or libdir gets everything below it.
AC_DEFUN([_RSYSLOG_MODDIR], [
  _RSYSLOG_FIND_MODDIR
  moddir=$with_moddir
  AS_IF([test -z "$moddir" && test "x$prefix" = xNONE &&
         test "x$libdir" = 'x${exec_prefix}/lib'],
    [moddir=$rsyslog_found_moddir])
  AS_IF([test -z "$moddir"], [moddir='${libdir}/rsyslog'])
  AC_SUBST([moddir])
])
