"""The schedules of beat, in the theme: superusers change them, staff see them."""

from __future__ import annotations

from typing import Any

import django_celery_beat.admin as beat_admin
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin import GlobalAdmin
from accounts.display import badge, moment, num
from accounts.roles import Ability, may

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(_model)


class ScheduleAdmin(GlobalAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser) or may(request, Ability.VIEW_DESK)

    def get_actions(self, request: HttpRequest) -> Any:
        """Beat's own actions ask for no permission, and a schedule serves every desk."""
        return super().get_actions(request) if request.user.is_superuser else {}


class TaskChoice(UnfoldAdminSelectWidget, beat_admin.TaskSelectWidget):  # type: ignore[misc]
    """The registered tasks, in the theme's select."""


class PeriodicTaskForm(beat_admin.PeriodicTaskForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskChoice()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ScheduleAdmin, beat_admin.PeriodicTaskAdmin):  # type: ignore[misc]
    form = PeriodicTaskForm

    list_display = ("name", "state", "scheduler", "queue_shown", "last_run", "runs", "one_off")
    list_filter = ("enabled", "one_off")
    list_select_related = ("interval", "crontab", "solar", "clocked")
    search_fields = ("name", "task")
    ordering = ("name",)

    @admin.display(description=_("state"), ordering="enabled")
    def state(self, row: PeriodicTask) -> str:
        if row.enabled:
            return badge("ok", "check", _("Enabled"))
        return badge("idle", "pause", _("Disabled"))

    @admin.display(description=_("queue"))
    def queue_shown(self, row: PeriodicTask) -> str:
        return row.queue or str(_("by its route"))

    @admin.display(description=_("last run"), ordering="last_run_at")
    def last_run(self, row: PeriodicTask) -> str:
        return moment(row.last_run_at)

    @admin.display(description=_("runs"), ordering="total_run_count")
    def runs(self, row: PeriodicTask) -> str:
        return num(row.total_run_count)


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ScheduleAdmin):
    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin):
    list_display = ("__str__", "human_readable", "timezone")


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ScheduleAdmin):
    list_display = ("__str__", "event")


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(ScheduleAdmin):
    list_display = ("__str__", "clocked_time")
