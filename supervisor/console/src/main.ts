import { createApp } from 'vue'
import { configureHttp } from '@/api/http'
import { forget } from '@/auth'
import { installElements } from '@/elements'
import { i18n } from '@/i18n'
import App from './App.vue'
import { router } from './router'
import 'uplot/dist/uPlot.min.css'
import './style.css'

configureHttp({
  onUnauthorized: () => {
    forget()
    const here = router.currentRoute.value
    if (here.name !== 'sign-in') void router.push({ name: 'sign-in', query: { next: here.fullPath } })
  },
  onPasswordRequired: () => void router.push({ name: 'password' }),
})

const app = createApp(App)
installElements(app)
app.use(i18n).use(router).mount('#app')
