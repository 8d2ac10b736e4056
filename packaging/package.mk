# Packages for distributions. Both are made of what `make install` installs, by the distribution's own tools: there is one
# list of files, and Debian's scripts for units and users are Debian's.

.PHONY: deb rpm

VERSION := $(shell sed -n '/^\[workspace.package\]/,/^$$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
# Grows when the same version is packaged anew.
REVISION ?= 1
# Who answers for the packages, as "Name <address>". Debian's own tools ask for the same two variables.
MAINTAINER ?= $(if $(DEBEMAIL),$(or $(DEBFULLNAME),$(DEBEMAIL)) <$(DEBEMAIL)>)
# Debian's must name somebody: where nobody is named, it says so.
export PACKAGE_MAINTAINER := $(or $(MAINTAINER),Built locally without a MAINTAINER <nobody@hostcast.invalid>)
PACKAGES := $(TARGET)/packages
SOURCE_DATE := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || date +%s))
AS_PACKAGER := CARGO_TARGET_DIR=$(abspath $(TARGET)) HOSTCAST_SOURCE=$(CURDIR) SOURCE_DATE_EPOCH=$(SOURCE_DATE)

deb: build ## Make a package for Debian and Ubuntu
	@scripts/setup deb
	rm -rf $(PACKAGES)/deb
	mkdir -p $(PACKAGES)/deb
	cp -R packaging/debian $(PACKAGES)/deb/debian
	sed -i "s|@MAINTAINER@|$$PACKAGE_MAINTAINER|" $(PACKAGES)/deb/debian/control
	@$(if $(MAINTAINER),:,echo 'make deb: for packages that you give away: MAINTAINER="Name <address>"')
	printf 'hostcast (%s-%s) unstable; urgency=medium\n\n  * Version %s: see /usr/share/doc/hostcast/changelog.gz.\n\n -- %s  %s\n' \
		$(VERSION) $(REVISION) $(VERSION) "$$PACKAGE_MAINTAINER" \
		"$$(LC_ALL=C date -u -d @$(SOURCE_DATE) '+%a, %d %b %Y %T +0000')" > $(PACKAGES)/deb/debian/changelog
	cd $(PACKAGES)/deb && $(AS_PACKAGER) debian/rules binary
	mv $(PACKAGES)/deb/*.deb $(PACKAGES)
	@ls $(PACKAGES)/*.deb

rpm: build ## Make a package for Fedora, RHEL and SUSE
	@scripts/setup rpm
	rm -rf $(PACKAGES)/rpm
	mkdir -p $(PACKAGES)/rpm
	$(AS_PACKAGER) rpmbuild -bb --quiet --define '_topdir $(abspath $(PACKAGES))/rpm' --define '_sysconfdir /etc' \
		--define 'hostcast_version $(VERSION)' --define 'hostcast_revision $(REVISION)' \
		--define 'hostcast_source $(CURDIR)' \
		$(if $(MAINTAINER),--define "packager $$PACKAGE_MAINTAINER") --define 'use_source_date_epoch_as_buildtime 1' packaging/hostcast.spec
	mv $(PACKAGES)/rpm/RPMS/*/*.rpm $(PACKAGES)
	@ls $(PACKAGES)/*.rpm
