# SPDX-License-Identifier: Apache-2.0
#
# package.cmake - microd_VERSION_ARCH.deb by CPack: cpack --config build/release/CPackConfig.cmake
# tests/package.sh builds it, has lintian look at it, installs, upgrades, removes and purges it.

# What a package has besides the programs; not of cmake --install
set(DEBIAN ${PROJECT_SOURCE_DIR}/deploy/debian)
set(SYSTEMD ${PROJECT_SOURCE_DIR}/deploy/systemd)
set(PACKED ${PROJECT_BINARY_DIR}/debian)
file(MAKE_DIRECTORY ${PACKED})

# Debian wants manual pages and changes compressed, without the time of day
function(add_compressed file)
  get_filename_component(name ${file} NAME)
  add_custom_command(OUTPUT ${PACKED}/${name}.gz COMMAND gzip -9nc ${file} > ${PACKED}/${name}.gz
    DEPENDS ${file} VERBATIM)
  set_property(GLOBAL APPEND PROPERTY PACKED_FILES ${PACKED}/${name}.gz)
endfunction()
add_compressed(${DEBIAN}/changelog)
add_compressed(${PROJECT_BINARY_DIR}/microd.8)
add_compressed(${PROJECT_BINARY_DIR}/micro-model.1)
get_property(PACKED_FILES GLOBAL PROPERTY PACKED_FILES)
add_custom_target(package_files ALL DEPENDS ${PACKED_FILES})
add_dependencies(package_files microd.8.page micro-model.1.page)

function(pack destination)
  install(FILES ${ARGN} DESTINATION ${destination} COMPONENT package EXCLUDE_FROM_ALL)
endfunction()
pack(/usr/share/man/man8 ${PACKED}/microd.8.gz)
pack(/usr/share/man/man1 ${PACKED}/micro-model.1.gz)
pack(/usr/share/doc/microd ${PACKED}/changelog.gz ${DEBIAN}/copyright
  ${PROJECT_SOURCE_DIR}/schema/CHANGELOG.md ${PROJECT_SOURCE_DIR}/schema/openapi.yaml)
pack(/usr/share/doc/microd/examples ${PROJECT_SOURCE_DIR}/deploy/prometheus/micro.rules.yml
  ${PROJECT_SOURCE_DIR}/deploy/grafana/micro.json)
pack(/lib/systemd/system ${SYSTEMD}/microd.service)
install(FILES ${SYSTEMD}/microd.default DESTINATION /etc/default RENAME microd COMPONENT package
  EXCLUDE_FROM_ALL)
pack(/usr/share/lintian/overrides ${DEBIAN}/lintian/microd)
install(TARGETS microd micro-model RUNTIME DESTINATION /usr/bin COMPONENT package EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME microd)
set(MICRO_PACKAGE_CONTACT "MiCRo developers <micro@localhost>" CACHE STRING
  "Who stands for the Debian package")
set(CPACK_PACKAGE_CONTACT ${MICRO_PACKAGE_CONTACT})
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "reward model server that learns what each user prefers")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"People disagree, so one reward model is wrong for many of them. MiCRo learns
several reward heads from plain binary preferences and, online, which of them
matter for whom. This package has micro-model, which trains, evaluates and
inspects such mixtures, and microd, an HTTP daemon that scores responses with
one and learns from each user's feedback.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${DEBIAN}/postinst ${DEBIAN}/prerm ${DEBIAN}/postrm
  ${DEBIAN}/conffiles)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};micro;package;/")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
