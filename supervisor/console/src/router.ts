import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { restore, session } from '@/auth'
import type { Role } from '@/api/types'

declare module 'vue-router' {
  interface RouteMeta {
    title?: string
    role?: Role
    open?: boolean // without sign-in
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/sign-in', name: 'sign-in', component: () => import('@/pages/SignIn.vue'), meta: { open: true, title: 'signin.title' } },
  { path: '/password', name: 'password', component: () => import('@/pages/Password.vue'), meta: { title: 'password.title' } },
  { path: '/', name: 'overview', component: () => import('@/pages/Overview.vue'), meta: { title: 'nav.overview' } },
  { path: '/tasks', name: 'tasks', component: () => import('@/pages/Tasks.vue'), meta: { title: 'nav.tasks' } },
  { path: '/tasks/:code', name: 'task', component: () => import('@/pages/TaskDetail.vue'), props: true, meta: { title: 'nav.tasks' } },
  { path: '/import', name: 'import', component: () => import('@/pages/Import.vue'), meta: { title: 'nav.import' } },
  { path: '/devices', name: 'devices', component: () => import('@/pages/Devices.vue'), meta: { title: 'nav.devices' } },
  { path: '/devices/:code', name: 'device', component: () => import('@/pages/DeviceDetail.vue'), props: true, meta: { title: 'nav.devices' } },
  { path: '/alerts', name: 'alerts', component: () => import('@/pages/Alerts.vue'), meta: { title: 'nav.alerts' } },
  { path: '/health', name: 'health', component: () => import('@/pages/Health.vue'), meta: { title: 'nav.health' } },
  { path: '/logs', name: 'logs', component: () => import('@/pages/Logs.vue'), meta: { title: 'nav.logs' } },
  { path: '/dead-letters', name: 'dead-letters', component: () => import('@/pages/DeadLetters.vue'), meta: { title: 'nav.deadLetters' } },
  { path: '/config/:kind?', name: 'config', component: () => import('@/pages/Configuration.vue'), props: true, meta: { title: 'nav.config' } },
  { path: '/users', name: 'users', component: () => import('@/pages/Users.vue'), meta: { title: 'nav.users' } },
  { path: '/audit', name: 'audit', component: () => import('@/pages/Audit.vue'), meta: { title: 'nav.audit', role: 'admin' } },
  { path: '/system', name: 'system', component: () => import('@/pages/System.vue'), meta: { title: 'nav.system' } },
  { path: '/:rest(.*)*', name: 'nowhere', component: () => import('@/pages/Nowhere.vue') },
]

export const router = createRouter({ history: createWebHistory(), routes })

router.beforeEach(async (to) => {
  if (to.meta.open) return true
  if (!session.me && !(await restore().catch(() => false))) {
    return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  }
  if (session.me?.must_change_password && to.name !== 'password') return { name: 'password' }
  return true
})
